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

-- grain: a day whose events were dropped (tightener prune).
CREATE TABLE IF NOT EXISTS pruned_day (
    day         DATE PRIMARY KEY,
    events      BIGINT NOT NULL,           -- requests that are dropped; what came later included
    late        BIGINT NOT NULL            -- of these, what came after the day had been dropped once
);

-- grain: one native record of such a day, so that it is known when it comes again.
CREATE TABLE IF NOT EXISTS pruned_event (day DATE NOT NULL, id UBIGINT NOT NULL);

CREATE MACRO IF NOT EXISTS event_key(source, native_id) AS md5_number_lower(source || chr(31) || native_id);

-- grain: one row of usage.sql of such a day, its caller as identity.id; and what only this database can add up.
CREATE TABLE IF NOT EXISTS pruned_usage (
    day         DATE NOT NULL,
    source      VARCHAR NOT NULL, agent VARCHAR NOT NULL, caller INTEGER NOT NULL, counted_for VARCHAR NOT NULL,
    service     VARCHAR NOT NULL, action VARCHAR NOT NULL, resource VARCHAR NOT NULL, branch VARCHAR NOT NULL,
    partial     VARCHAR NOT NULL, outcome VARCHAR NOT NULL, decision VARCHAR NOT NULL,
    indirect    BOOLEAN NOT NULL, suspicious BOOLEAN NOT NULL, mapped BOOLEAN NOT NULL,
    uses        BIGINT NOT NULL, records BIGINT NOT NULL,
    first_used  TIMESTAMP NOT NULL, last_used TIMESTAMP NOT NULL, last_approved TIMESTAMP,
    session_low VARCHAR NOT NULL, session_high VARCHAR NOT NULL,
    sample_low  VARCHAR NOT NULL, sample_high VARCHAR NOT NULL,
    run_low     BIGINT NOT NULL, run_high BIGINT NOT NULL, -- the least and greatest session, as request.sql numbers them
    bursts      BIGINT NOT NULL, longest DOUBLE NOT NULL   -- runs of uses (bursts.sql), and the seconds of the longest
);

-- grain: a request of such a day that went around the agent's gateway (around_gateway.sql): findings, and few.
CREATE TABLE IF NOT EXISTS pruned_around (
    agent VARCHAR NOT NULL, time TIMESTAMP NOT NULL, action VARCHAR NOT NULL, resource VARCHAR NOT NULL,
    session VARCHAR NOT NULL, native_id VARCHAR NOT NULL, uri VARCHAR NOT NULL, position BIGINT NOT NULL,
    outcome VARCHAR NOT NULL
);

-- grain: a day whose usage file is not yet what the events say; written with them, in one transaction. May hold a day twice.
CREATE TABLE IF NOT EXISTS stale_day (day DATE NOT NULL);

-- grain: what was logged: one request of a native record; of a day that was dropped, one row of its usage. Every question
-- about use is asked of this. Such a row has no file, stands at its first use (no row goes over midnight), and has a session
-- where it is of one only. `uses` and `records` add up; `last_time` and `last_id` are those of its last use and greatest id.
CREATE VIEW IF NOT EXISTS logged AS
SELECT e.*, e.time AS last_time, e.native_id AS last_id, 1::BIGINT AS uses, (e.part = 0)::BIGINT AS records,
       '' AS counted_for, NULL::BIGINT AS run_low, NULL::BIGINT AS run_high, 1::BIGINT AS bursts, 0::DOUBLE AS longest
FROM event AS e
UNION ALL
SELECT NULL, NULL, NULL, u.source, u.sample_low, u.first_used, u.agent, COALESCE(i.role, ''),
       CASE WHEN u.session_low = u.session_high AND u.session_low <> CAST(u.day AS VARCHAR) THEN u.session_low ELSE '' END,
       u.service, u.action, u.resource, u.branch, u.partial, u.outcome, u.decision, u.last_approved, '', u.indirect,
       u.suspicious, u.mapped, u.caller, u.last_used, u.sample_high, u.uses, u.records,
       u.counted_for, u.run_low, u.run_high, u.bursts, u.longest
FROM pruned_usage AS u LEFT JOIN identity AS i ON i.id = u.caller;

-- grain: logged, with the identity that it belongs to: its own, or that of the tool call which made it (nobody's where
-- two different callers claim it). The tool call and the request behind it are one use: this one.
CREATE VIEW IF NOT EXISTS event_caller AS
SELECT e.*, COALESCE(m.identity, e.identity) AS caller
FROM logged AS e
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
