"""What `tightener init` writes into a repository. Nothing that is there already is ever touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tightener.config import FILE_NAME
from tightener.errors import Place, TightenerError
from tightener.resources import folder, schema

POLICIES = "policies"
_EXAMPLE = f"{POLICIES}/agents.yaml"
_FILES = (  # where it goes, and from where: starter/NAME, or a schema
    (FILE_NAME, "tightener.yaml"),
    (_EXAMPLE, "policy.yaml"),
    (".github/workflows/tightener.yml", "workflow.yml"),
    (".gitignore", "gitignore"),
    (".schemas/tightener.schema.json", "schema:config"),
    (".schemas/tightener-policy.schema.json", "schema:policy"),
)


@dataclass(frozen=True, slots=True)
class Written:
    """One file: its path below the folder, and why it was not written ('' = it was)."""

    path: str
    left: str


def start(base: Path) -> list[Written]:
    """Writes what is missing below `base`, which is made if need be; every file is made anew or left alone.

    The example policy is written only beside a new tightener.yaml and where there are no policies yet: an example
    among policies in force would grant something. Raises TightenerError (`init-failed`).
    """
    fresh = not _is_there(base / FILE_NAME)
    found = []
    for path, source in _FILES:
        left = ""
        if path == _EXAMPLE and not _is_there(base / path) and (not fresh or _has_policies(base / POLICIES)):
            left = "there are policies already" if fresh else f"the example belongs to a new {FILE_NAME}"
        elif not _made(base / path, _text(source)):
            left = "is there already, left as it is"
        found.append(Written(path, left))
    return found


def _text(source: str) -> str:
    kind, _, name = source.partition(":")
    return schema(name) if name else (folder("starter") / kind).read_text(encoding="utf-8")


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _has_policies(inside: Path) -> bool:
    return inside.is_dir() and any(one.suffix in {".yaml", ".yml"} for one in inside.iterdir())


def _made(path: Path, text: str) -> bool:
    """Whether the file was made; False where something has this name, a link to nowhere included."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _is_there(path):
            return False
        with path.open("x", encoding="utf-8", newline="\n") as out:
            out.write(text)
    except FileExistsError as error:
        if Path(error.filename or path) == path:
            return False
        raise _failed(path, error) from error
    except OSError as error:
        raise _failed(path, error) from error
    return True


def _failed(path: Path, error: OSError) -> TightenerError:
    return TightenerError(
        f"this file cannot be made: {error.strerror}",
        slug="init-failed",
        place=Place(str(path)),
        hint="make room for it, and run init again: what was written stays",
    )
