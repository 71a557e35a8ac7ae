-- The first index. Tables are private (schema "store"); the views of schema "main" are the public interface.
-- No foreign keys, and primary keys on small tables only: both make bulk loads several times slower.
CREATE SCHEMA store;

CREATE TABLE store.segment (
    name VARCHAR PRIMARY KEY,
    records INTEGER NOT NULL,
    points BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    created DOUBLE NOT NULL,
    host VARCHAR NOT NULL
);

-- Every record known, of either kind. `number` joins the other tables and means nothing outside this file.
CREATE TABLE store.record (
    record VARCHAR PRIMARY KEY,
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    segment VARCHAR NOT NULL
);

-- `newest`: the record that answers for its (trial, fingerprint): a final status before others, then the latest start.
-- `current`: of the newest ones of a trial, the one started last.
CREATE TABLE store.trial (
    number INTEGER NOT NULL,
    record VARCHAR NOT NULL,
    trial VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    run VARCHAR NOT NULL,
    machine VARCHAR NOT NULL,
    environment VARCHAR,
    status VARCHAR NOT NULL,
    reason VARCHAR,
    started DOUBLE NOT NULL,
    seconds DOUBLE,
    total_seconds DOUBLE,
    cpu_seconds DOUBLE,
    peak_bytes BIGINT,
    state_bytes BIGINT,
    contended BOOLEAN,
    forwards BIGINT,
    nfe BIGINT,
    samples BIGINT,
    draws BIGINT,
    bits BIGINT,
    task VARCHAR,
    seed BIGINT,
    backend VARCHAR,
    dtype VARCHAR,
    threads INTEGER,
    identity VARCHAR,
    newest BOOLEAN NOT NULL,
    current BOOLEAN NOT NULL
);

CREATE TABLE store.point (
    number INTEGER NOT NULL,
    metric VARCHAR NOT NULL,
    step BIGINT NOT NULL,
    value DOUBLE NOT NULL,
    seconds DOUBLE,
    nfe BIGINT,
    bits BIGINT
);

-- Last point of each metric of each trial by step; of equal steps the one recorded last.
CREATE TABLE store.final (
    number INTEGER NOT NULL,
    metric VARCHAR NOT NULL,
    step BIGINT NOT NULL,
    value DOUBLE NOT NULL,
    seconds DOUBLE,
    nfe BIGINT,
    bits BIGINT,
    points INTEGER NOT NULL
);

CREATE TABLE store.fingerprint (fingerprint VARCHAR NOT NULL, modules VARCHAR, libraries VARCHAR, data VARCHAR);

CREATE TABLE store.environment (environment VARCHAR NOT NULL, machine VARCHAR NOT NULL, document VARCHAR NOT NULL);

CREATE TABLE store.run (
    number INTEGER NOT NULL,
    run VARCHAR NOT NULL,
    spec VARCHAR NOT NULL,
    title VARCHAR,
    started DOUBLE NOT NULL,
    machine VARCHAR NOT NULL,
    environment VARCHAR,
    git_commit VARCHAR,
    spec_path VARCHAR,
    spec_text VARCHAR,
    argv VARCHAR,
    claims VARCHAR,
    tuning VARCHAR
);

CREATE TABLE store.plan (
    number INTEGER NOT NULL,
    trial VARCHAR NOT NULL,
    fingerprint VARCHAR,
    method VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    seed BIGINT NOT NULL
);

CREATE TABLE store.task_info (number INTEGER NOT NULL, task VARCHAR NOT NULL, entry VARCHAR NOT NULL);

CREATE TABLE store.component_info (number INTEGER NOT NULL, method VARCHAR NOT NULL, slot VARCHAR NOT NULL, entry VARCHAR NOT NULL);

-- One row per trial and fingerprint.
CREATE VIEW main.trials AS
SELECT * EXCLUDE (number, newest) FROM store.trial WHERE newest;

-- One row per row of `trials` and metric: its final value.
CREATE VIEW main.metrics AS
SELECT t.record, t.trial, t.fingerprint, t.run, t.status, t.task, t.seed, t.current,
    f.metric, f.value, f.step, f.seconds, f.nfe, f.bits, f.points
FROM store.final f JOIN store.trial t USING (number)
WHERE t.newest;

-- Every recorded point of every row of `trials`; seconds are rounded to the microsecond.
CREATE VIEW main.curves AS
SELECT t.record, t.trial, t.fingerprint, t.run, t.task, t.seed, t.current,
    p.metric, p.step, p.value, p.seconds, p.nfe, p.bits
FROM store.point p JOIN store.trial t USING (number)
WHERE t.newest;

-- One row per `bench run`: how many distinct trials it planned, and how its own records ended.
CREATE VIEW main.runs AS
SELECT u.run, u.spec, u.title, u.started, u.machine, u.environment, u.git_commit, u.spec_path, u.spec_text, u.argv,
    u.claims, u.tuning,
    (SELECT count(DISTINCT p.trial) FROM store.plan p WHERE p.number = u.number) AS planned,
    coalesce(e.records, 0) AS records,
    coalesce(e.ok, 0) AS ok,
    coalesce(e.failed, 0) AS failed
FROM store.run u LEFT JOIN (
    SELECT run, count(*) AS records, count(*) FILTER (status = 'ok') AS ok,
        count(*) FILTER (status IN ('error', 'timeout', 'out-of-memory', 'killed', 'lost')) AS failed
    FROM store.trial GROUP BY run
) e USING (run);

-- The rows of each run's plan: which trial answers for (method, task, seed).
CREATE VIEW main.plan AS
SELECT u.run, u.spec, u.started, p.trial, p.fingerprint, p.method, p.task, p.seed
FROM store.plan p JOIN store.run u USING (number);

-- What each run's spec said of its tasks and components when it ran (JSON).
CREATE VIEW main.tasks AS
SELECT u.run, u.spec, u.started, i.task, i.entry FROM store.task_info i JOIN store.run u USING (number);

CREATE VIEW main.components AS
SELECT u.run, u.spec, u.started, i.method, i.slot, i.entry FROM store.component_info i JOIN store.run u USING (number);

-- Where records were made (JSON) and what answered for a fingerprint (JSON).
CREATE VIEW main.environments AS SELECT environment, machine, document FROM store.environment;

CREATE VIEW main.fingerprints AS SELECT fingerprint, modules, libraries, data FROM store.fingerprint;
