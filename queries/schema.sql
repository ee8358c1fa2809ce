-- question: none; this is the shape of the database (run by logs/store.py when a file is opened).
-- Times are UTC without zone, microseconds. Empty string = absent for resource, branch, session, principal, agent.

CREATE TABLE IF NOT EXISTS meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- grain: one log file as it was read. `id` is given in reading order.
CREATE TABLE IF NOT EXISTS log_file (
    id          INTEGER PRIMARY KEY,
    uri         VARCHAR NOT NULL,          -- absolute path, or s3://BUCKET/KEY
    format      VARCHAR NOT NULL,          -- name in FORMATS, or the field map's name
    source      VARCHAR NOT NULL,          -- 'gateway', 'cloudtrail', or the field map's name
    size        BIGINT NOT NULL,           -- bytes on disk
    digest      VARCHAR NOT NULL,          -- sha256 of the bytes on disk, hex
    records     BIGINT NOT NULL,           -- native records read = accepted + duplicate + rejected + not_use
    accepted    BIGINT NOT NULL,
    duplicate   BIGINT NOT NULL,
    rejected    BIGINT NOT NULL,
    not_use     BIGINT NOT NULL,
    first_time  TIMESTAMP,                 -- of its accepted and duplicate records
    last_time   TIMESTAMP,
    problem     VARCHAR NOT NULL DEFAULT '', -- e.g. 'truncated gzip after 1,204 lines'; '' = read to its end
    read_at     TIMESTAMP NOT NULL         -- load time: the only column that differs between equal runs
);

-- grain: one request of one accepted native record (a record makes at least one request; `part` counts them from 0).
-- Ids are random: trying to compress them takes a quarter of the whole writing and saves little.
CREATE TABLE IF NOT EXISTS event (
    file_id     INTEGER NOT NULL,
    position    BIGINT NOT NULL,           -- 1-based line or record number in the file
    part        USMALLINT NOT NULL,
    source      VARCHAR NOT NULL,
    native_id   VARCHAR NOT NULL USING COMPRESSION uncompressed, -- the record's own id, else 'sha256:' of its canonical form
    time        TIMESTAMP NOT NULL,
    agent       VARCHAR NOT NULL,          -- named by the log; '' where only the principal is known
    principal   VARCHAR NOT NULL,          -- AWS: the role's or user's ARN (the session issuer, not the session)
    session     VARCHAR NOT NULL,
    service     VARCHAR NOT NULL,
    action      VARCHAR NOT NULL,          -- aws: in the catalogue's case; unmapped: as the log has it
    resource    VARCHAR NOT NULL,          -- a value, or a pattern where `partial` names resource
    branch      VARCHAR NOT NULL,          -- without refs/heads/
    partial     VARCHAR NOT NULL,          -- '', 'resource', 'branch', 'resource,branch'
    outcome     VARCHAR NOT NULL,          -- model.Outcome
    decision    VARCHAR NOT NULL,          -- the gateway's: allow, deny, require_approval; '' elsewhere
    approved_at TIMESTAMP,
    request_id  VARCHAR NOT NULL USING COMPRESSION uncompressed,
    indirect    BOOLEAN NOT NULL,          -- done by a service on the caller's behalf
    suspicious  BOOLEAN NOT NULL,          -- normalised because it held . or .. segments
    mapped      BOOLEAN NOT NULL,          -- false: read, but no rule says which action this is
    identity    INTEGER NOT NULL           -- what identifies the caller; 0 = the log names the agent, or nobody
);

-- grain: file, agent, session and what the gateway's lines say that the session was started for; no row where none says it.
CREATE TABLE IF NOT EXISTS run (
    file_id INTEGER NOT NULL, agent VARCHAR NOT NULL, session VARCHAR NOT NULL, on_behalf_of VARCHAR NOT NULL
);

-- grain: one distinct combination of what identifies a caller in CloudTrail. Key ids are no secrets.
CREATE TABLE IF NOT EXISTS identity (
    id                INTEGER PRIMARY KEY, -- from 1, in reading order
    source_identity   VARCHAR NOT NULL,    -- set when the role was assumed; survives role chaining
    sign_in_session   VARCHAR NOT NULL,    -- ARN; an agent's only where mcp_call knows it (view caller)
    agentcore_runtime VARCHAR NOT NULL,    -- the id in the session name BedrockAgentCore-ID: one run of an agent
    jwt_sub           VARCHAR NOT NULL,    -- of the token that an AgentCore gateway was shown
    jwt_client        VARCHAR NOT NULL,    -- its client_id
    role              VARCHAR NOT NULL,    -- the role's or user's ARN: event.principal
    session_name      VARCHAR NOT NULL,
    access_key        VARCHAR NOT NULL
);

-- grain: a tool call of the AWS MCP Server, or a sign-in for it, and one request made through it ('' = none named).
CREATE TABLE IF NOT EXISTS mcp_call (
    file_id INTEGER NOT NULL, identity INTEGER NOT NULL, request_id VARCHAR NOT NULL
);

-- grain: identity, with the sign-in session only where it is one of the AWS MCP Server: plain `aws login` has one, too.
CREATE VIEW IF NOT EXISTS caller AS
SELECT i.* REPLACE (
    CASE WHEN i.sign_in_session IN (SELECT s.sign_in_session FROM mcp_call AS c JOIN identity AS s ON s.id = c.identity)
         THEN i.sign_in_session ELSE '' END AS sign_in_session)
FROM identity AS i;

-- grain: event, with the identity that it belongs to: its own, or that of the tool call which made it (nobody's where
-- two different callers claim it). The tool call and the request behind it are one use: this one.
CREATE VIEW IF NOT EXISTS event_caller AS
SELECT e.*, COALESCE(m.identity, e.identity) AS caller
FROM event AS e
LEFT JOIN (
    SELECT request_id, CASE WHEN count(DISTINCT identity) = 1 THEN min(identity) ELSE 0 END AS identity
    FROM mcp_call WHERE request_id <> '' GROUP BY request_id
) AS m ON m.request_id = e.request_id AND e.source = 'cloudtrail' AND e.outcome <> 'by_service';

-- grain: one native record that could not be read.
CREATE TABLE IF NOT EXISTS rejected (
    file_id INTEGER NOT NULL, position BIGINT NOT NULL, reason VARCHAR NOT NULL
);

-- grain: file and reason, for records that are no use of a permission (service events, sign-ins, ...).
CREATE TABLE IF NOT EXISTS not_use (
    file_id INTEGER NOT NULL, reason VARCHAR NOT NULL, records BIGINT NOT NULL
);

-- grain: file and day on which some of the file's lines are known to be missing (a rejected line, a truncated file).
CREATE TABLE IF NOT EXISTS holed_day (
    file_id INTEGER NOT NULL, day DATE NOT NULL
);

-- grain: one accepted CloudTrail record that says more about itself than an event holds (few do).
CREATE TABLE IF NOT EXISTS trail_record (
    file_id     INTEGER NOT NULL, position BIGINT NOT NULL,
    native_id   VARCHAR NOT NULL,
    shared_id   VARCHAR NOT NULL,          -- equal in the copies that several accounts got of one call; '' = the only one
    elsewhere   BOOLEAN NOT NULL,          -- the copy of an account that is not the caller's
    corrects    VARCHAR NOT NULL,          -- native id of the record that this one replaces; '' = none
    denied_by   VARCHAR NOT NULL,          -- the layer that refused (deny_layer.csv); '' = not named
    explicit    BOOLEAN NOT NULL           -- by a deny, not for want of an allow
);

-- grain: file, hour, class and container of CloudTrail's records: what its trail demonstrably collects.
CREATE TABLE IF NOT EXISTS trail_shown (
    file_id     INTEGER NOT NULL,
    hour        TIMESTAMP NOT NULL,
    account     VARCHAR NOT NULL, region VARCHAR NOT NULL,
    class       VARCHAR NOT NULL,          -- 'management', 'management:kms', 'data:AWS::S3::Object'; '' = no API call
    read_only   BOOLEAN NOT NULL,
    container   VARCHAR NOT NULL,          -- data events: ARN of the bucket, table, ... that it lies in; '' = none, several
    records     BIGINT NOT NULL
);

-- grain: one digest file of CloudTrail's, which names the log files of about an hour of one region.
CREATE TABLE IF NOT EXISTS digest_file (
    uri         VARCHAR PRIMARY KEY,       -- absolute path
    stamp       VARCHAR NOT NULL,          -- what the file system says of it, to know a changed file
    chain       VARCHAR NOT NULL,          -- its name without the time: account, region and trail
    account     VARCHAR NOT NULL, region VARCHAR NOT NULL,
    s3_object   VARCHAR NOT NULL,          -- its own key, as it says
    starts      TIMESTAMP, ends TIMESTAMP,
    content     VARCHAR NOT NULL,          -- sha256 of its decompressed bytes, hex
    previous    VARCHAR NOT NULL,          -- key of the digest file before it; '' = the first of its chain
    previous_content VARCHAR NOT NULL,
    problem     VARCHAR NOT NULL           -- why it could not be read; '' = it was
);

-- grain: digest file and log file that it names.
CREATE TABLE IF NOT EXISTS digest_entry (
    uri         VARCHAR NOT NULL, s3_object VARCHAR NOT NULL,
    content     VARCHAR NOT NULL,          -- sha256 of the decompressed bytes that were delivered
    oldest      TIMESTAMP, newest TIMESTAMP -- of its records
);

-- grain: log file as it lies on disk -> sha256 of its decompressed bytes.
CREATE TABLE IF NOT EXISTS log_content (digest VARCHAR PRIMARY KEY, content VARCHAR NOT NULL);

-- grain: object in S3 that could not be read, or prefix that was not listed to its end: days that are not whole for that.
CREATE TABLE IF NOT EXISTS unread (
    uri         VARCHAR PRIMARY KEY,
    listing     BOOLEAN NOT NULL,          -- a prefix
    source      VARCHAR NOT NULL,          -- of the log that it is or holds; '' = it may be any
    first_day   DATE NOT NULL, last_day DATE NOT NULL,
    reason      VARCHAR NOT NULL
);

-- grain: agent and one granted (rule, action) text: the last log day known when the database first saw it.
CREATE TABLE IF NOT EXISTS first_seen (
    agent VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, day DATE NOT NULL, PRIMARY KEY (agent, fingerprint)
);

-- grain: what one run found about one agent of one policy file, on the logs up to a day; a later run of that day replaces it.
CREATE TABLE IF NOT EXISTS finding (
    day         DATE NOT NULL,             -- the last logged day, not the day of the run: no news, no new row
    days        INTEGER NOT NULL,          -- the window that was asked for
    policy      VARCHAR NOT NULL,          -- the policy file, as its repository names it
    agent       VARCHAR NOT NULL,
    granted     BIGINT NOT NULL,           -- = exercised + unused + unobservable + cannot_tell + excepted
    exercised   BIGINT NOT NULL, unused BIGINT NOT NULL, unobservable BIGINT NOT NULL,
    cannot_tell BIGINT NOT NULL,           -- too new, or the evidence does not suffice
    excepted    BIGINT NOT NULL,
    score       DOUBLE, proposed_score DOUBLE, -- of the blast radius; NULL = nothing could be said
    weight      DOUBLE NOT NULL,           -- of all that is granted: what the score is a part of
    suggestions BIGINT NOT NULL,
    state       VARCHAR NOT NULL,          -- 'proved', 'failed', 'no_evidence'
    PRIMARY KEY (day, days, policy, agent)
);
