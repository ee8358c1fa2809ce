"""A small GitHub on loopback: one repository, with memory. Every request and answer is held against the description."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import openapi

REPOSITORY = "acme/policies"
ROOT = f"/repos/{REPOSITORY}"
PREFIX = "/api/v3"
WHEN = "2026-11-24T12:00:00Z"


class Refused(Exception):
    """An answer that is none."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


@dataclass
class GitHub:
    """The repository. `fault`: (number of a request, what happens to it) -> how it goes wrong, once or from then on."""

    objects: dict[str, Any] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    log: list[tuple[str, str, Any]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # what was no valid request or answer
    fault: Callable[[int, str], str] = lambda number, verb: ""
    before_write: Callable[[], None] = lambda: None
    no_drafts: bool = False
    collaborators: frozenset[str] = frozenset({"dana", "kim"})
    facts: dict[str, Any] = field(default_factory=dict)  # what else GitHub says of the repository
    token: str = "secret-token"

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        return [one for one in self.log if one[0] != "GET"]

    # objects

    def keep(self, kind: str, value: Any) -> str:
        if kind == "blob":
            name = hashlib.sha1(b"blob %d\0" % len(value) + value).hexdigest()
        else:
            name = hashlib.sha1(json.dumps([kind, value], sort_keys=True).encode()).hexdigest()
        self.objects[name] = value
        return name

    def tree(self, files: dict[str, bytes], base: str | None = None) -> str:
        """Writes a tree of trees; entries of `base` stay."""
        entries = dict(self.objects[base]) if base else {}
        folders: dict[str, dict[str, bytes]] = {}
        for path, content in files.items():
            head, _, rest = path.partition("/")
            if rest:
                folders.setdefault(head, {})[rest] = content
            else:
                mode = entries.get(head, ["100644"])[0]
                entries[head] = [mode, "blob", self.keep("blob", content)]
        for name, inside in folders.items():
            old = entries.get(name)
            entries[name] = ["040000", "tree", self.tree(inside, old[2] if old else None)]
        return self.keep("tree", entries)

    def commit(
        self, files: dict[str, bytes], message: str, *, to: str = "main", parents: list[str] | None = None
    ) -> str:
        """A person's commit on a branch."""
        old = self.refs.get(to)
        base = self.objects[old]["tree"] if old else None
        made = {"tree": self.tree(files, base), "parents": parents or ([old] if old else []), "message": message}
        self.refs[to] = self.keep("commit", made)
        return self.refs[to]

    def read(self, commit: str, path: str) -> bytes:
        at = self.objects[commit]["tree"]
        for name in path.split("/"):
            at = self.objects[at][name][2]
        return bytes(self.objects[at])

    def inside(self, name: str, of: str) -> bool:
        return name == of or any(self.inside(name, parent) for parent in self.objects[of]["parents"])

    # what people do

    def merge(self, number: int, *, squash: bool = False, rebase: bool = False) -> None:
        pull = self.pulls[number - 1]
        head = self.refs[pull["head"]["ref"]]
        if rebase:
            self.refs["main"] = self._rebased(head, self.refs["main"])
        else:
            parents = [self.refs["main"], *([] if squash else [head])]
            made = {"tree": self.objects[head]["tree"], "parents": parents, "message": "Merge"}
            self.refs["main"] = self.keep("commit", made)
        pull |= {"state": "closed", "closed_at": WHEN, "merged_at": WHEN, "merge_commit_sha": self.refs["main"]}

    def _rebased(self, head: str, on: str) -> str:
        """The commits of a branch once more, on another one, whose other files stay."""
        if self.inside(head, on):
            return on
        one = self.objects[head]
        under = self._rebased(one["parents"][0], on)
        tree = {**self.objects[self.objects[on]["tree"]], **self.objects[one["tree"]]}
        return self.keep("commit", {**one, "parents": [under], "tree": self.keep("tree", tree)})

    def close(self, number: int, word: str = "", when: str = WHEN) -> None:
        self.pulls[number - 1] |= {"state": "closed", "closed_at": when}
        if word:
            user = {"login": "kim", "type": "User"}
            self.comments.setdefault(number, []).append({"id": 1, "body": word, "user": user})

    # the API

    def answer(self, verb: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        end = path.removeprefix(ROOT).strip("/")
        parts = end.split("/") if end else []
        match [verb, *parts]:
            case ["GET"]:
                return 200, {"default_branch": "main", "full_name": REPOSITORY, **self.facts}
            case ["GET", "git", "ref", "heads", *name]:
                return 200, self._ref("/".join(name))
            case ["GET", "git", "commits", name]:
                return 200, self._commit(self._known(name))
            case ["GET", "git", "trees", name]:
                self._known(name)
                tree = self.objects[name]
                entries = self.objects[tree["tree"]] if "message" in tree else tree
                rows = [{"path": p, "mode": e[0], "type": e[1], "sha": e[2]} for p, e in entries.items()]
                return 200, {"sha": name, "truncated": False, "tree": rows}
            case ["GET", "contents", *name]:
                try:
                    content = self.read(query["ref"], "/".join(name))
                except KeyError as error:
                    raise Refused(404, "Not Found") from error
                return 200, {"content": base64.b64encode(content).decode(), "encoding": "base64", "type": "file"}
            case ["GET", "pulls"]:
                found = [p for p in self.pulls if p["state"] == query["state"]]
                if "head" in query:
                    found = [p for p in found if f"acme:{p['head']['ref']}" == query["head"]]
                first = (int(query["page"]) - 1) * int(query["per_page"])
                return 200, [self._shown(p) for p in found][first : first + int(query["per_page"])]
            case ["GET", "pulls", number]:
                if int(number) > len(self.pulls):
                    raise Refused(404, "Not Found")
                return 200, self._shown(self.pulls[int(number) - 1])
            case ["GET", "issues", number, "comments"]:
                return 200, self.comments.get(int(number), [])
            case ["POST", "git", "blobs"]:
                return 201, {"sha": self.keep("blob", base64.b64decode(body["content"])), "url": "u"}
            case ["POST", "git", "trees"]:
                files = {one["path"]: self.objects[one["sha"]] for one in body["tree"]}
                return 201, {"sha": self.tree(files, self._known(body["base_tree"])), "truncated": False, "tree": []}
            case ["POST", "git", "commits"]:
                made = {"tree": self._known(body["tree"]), "parents": body["parents"], "message": body["message"]}
                return 201, self._commit(self.keep("commit", made))
            case ["POST", "git", "refs"]:
                name = body["ref"].removeprefix("refs/heads/")
                if name in self.refs:
                    raise Refused(422, "Reference already exists")
                self.refs[name] = self._known(body["sha"])
                return 201, self._ref(name)
            case ["PATCH", "git", "refs", "heads", *name]:
                ref = "/".join(name)
                self._ref(ref)
                if not body["force"] and not self.inside(self.refs[ref], body["sha"]):
                    raise Refused(422, "Update is not a fast forward")
                self.refs[ref] = body["sha"]
                return 200, self._ref(ref)
            case ["DELETE", "git", "refs", "heads", *name]:
                if "/".join(name) not in self.refs:
                    raise Refused(422, "Reference does not exist")
                del self.refs["/".join(name)]
                for pull in self.pulls:
                    if pull["head"]["ref"] == "/".join(name) and pull["state"] == "open":
                        pull |= {"state": "closed", "closed_at": WHEN}
                return 204, None
            case ["POST", "pulls"]:
                return 201, self._shown(self._opened(body))
            case ["PATCH", "pulls", number]:
                pull = self.pulls[int(number) - 1]
                pull |= body
                if body.get("state") == "closed":
                    pull["closed_at"] = WHEN
                return 200, self._shown(pull)
            case ["POST", "pulls", number, "requested_reviewers"]:
                unknown = [one for one in body["reviewers"] if one not in self.collaborators]
                if unknown:
                    raise Refused(422, "Reviews may only be requested from collaborators.")
                pull = self.pulls[int(number) - 1]
                pull["asked"] = sorted({*pull["asked"], *body["reviewers"], *body["team_reviewers"]})
                return 201, {"number": int(number)}
            case ["POST", "issues", number, "labels"]:
                pull = self.pulls[int(number) - 1]
                pull["labels"] += [{"name": one} for one in body["labels"] if {"name": one} not in pull["labels"]]
                return 200, pull["labels"]
        raise Refused(404, "Not Found")

    def _opened(self, body: dict[str, Any]) -> dict[str, Any]:
        head = body["head"]
        if any(p["state"] == "open" and p["head"]["ref"] == head for p in self.pulls):
            raise Refused(422, f"A pull request already exists for acme:{head}.")
        if head not in self.refs or self.refs[head] == self.refs[body["base"]]:
            raise Refused(422, "No commits between main and the branch")
        if body.get("draft") and self.no_drafts:
            raise Refused(422, "Draft pull requests are not supported in this repository.")
        number = len(self.pulls) + 1
        made = {
            "number": number,
            "state": "open",
            "title": body["title"],
            "body": body["body"],
            "draft": body.get("draft", False),
            "labels": [],
            "asked": [],
            "closed_at": None,
            "merged_at": None,
            "html_url": f"https://github.example/{REPOSITORY}/pull/{number}",
            "head": {"ref": head, "repo": {"full_name": REPOSITORY}},
            "base": {"ref": body["base"]},
            "merge_commit_sha": None,
        }
        self.pulls.append(made)
        return made

    def _shown(self, pull: dict[str, Any]) -> dict[str, Any]:
        head = {**pull["head"], "sha": self.refs.get(pull["head"]["ref"], "gone")}
        return {**{key: value for key, value in pull.items() if key != "asked"}, "head": head}

    def _known(self, name: str) -> str:
        if name not in self.objects:
            raise Refused(404, "Not Found")
        return name

    def _ref(self, name: str) -> dict[str, Any]:
        if name not in self.refs:
            raise Refused(404, "Not Found")
        return {"ref": f"refs/heads/{name}", "object": {"type": "commit", "sha": self.refs[name], "url": "u"}}

    def _commit(self, name: str) -> dict[str, Any]:
        one = self.objects[name]
        parents = [{"sha": parent, "url": "u", "html_url": "u"} for parent in one["parents"]]
        who = {"name": "Dana", "email": "dana@acme.example", "date": WHEN}
        tree = {"sha": one["tree"], "url": "u"}
        return {"sha": name, "message": one["message"], "tree": tree, "parents": parents, "committer": who}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: in two, each waits for an acknowledgement
    github: GitHub

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path).removeprefix(PREFIX), dict(parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        body = json.loads(raw) if raw else None
        github, verb = self.github, self.command
        number = len(github.log)
        github.log.append((verb, path, body))
        fault = github.fault(number, verb)
        try:
            openapi.check_request(verb, path, query, body)
            known = self.headers["Authorization"] in {f"token {github.token}", f"Bearer {github.token}"}
            status, answer, headers = self._answered(fault if known else "401", verb, path, query, body)
        except AssertionError as error:
            github.broken.append(str(error))
            status, answer, headers = 500, {"message": str(error)}, {}
        except Refused as error:
            status, answer, headers = error.status, {"message": error.message}, error.headers
        if fault in {"drop", "drop after"}:
            self.close_connection = True
            self.connection.close()
            return
        self._send(status, answer, headers)

    def _answered(
        self, fault: str, verb: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        match fault:
            case "401":
                raise Refused(401, "Bad credentials")
            case "500":
                return 500, {"message": "Server Error"}, {}
            case "403":
                raise Refused(403, "You have exceeded a secondary rate limit.", {"Retry-After": "0"})
            case "403 long":
                late = str(int(time.time()) + 3600)
                raise Refused(403, "API rate limit exceeded for user.", {"X-RateLimit-Reset": late})
            case "403 hour" | "429 hour":
                raise Refused(int(fault[:3]), "You have exceeded a secondary rate limit.", {"Retry-After": "3600"})
            case "429 soon":
                raise Refused(429, "Too many requests", {"Retry-After": "0"})
            case "403 weak":
                raise Refused(403, "Resource not accessible by personal access token")
            case "429":
                raise Refused(429, "Too many requests")
            case "422":
                raise Refused(422, "Reference already exists")
            case "timeout":
                time.sleep(1.2)
                return 500, {"message": "too late"}, {}
            case "drop":
                return 500, None, {}
        if verb != "GET":
            self.github.before_write()
        status, answer = self.github.answer(verb, path, query, body)
        openapi.check_answer(verb, path, status, answer)
        return status, answer, {}

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that the base class looks for


class Server:
    """The fake, served on a port of its own until it is closed."""

    def __init__(self, github: GitHub) -> None:
        handler = type("Handler", (_Handler,), {"github": github})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}{PREFIX}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
