-- Which form of each kernel answered in a trial, and the history of kernel benchmarks.
ALTER TABLE store.trial ADD COLUMN kernels VARCHAR;

CREATE TABLE store.benchmark (
    number INTEGER NOT NULL,
    record VARCHAR NOT NULL,
    benchmark VARCHAR NOT NULL,
    params VARCHAR,
    git_commit VARCHAR,
    committed DOUBLE,
    measured DOUBLE NOT NULL,
    machine VARCHAR NOT NULL,
    environment VARCHAR,
    status VARCHAR NOT NULL,
    value DOUBLE,
    unit VARCHAR,
    version VARCHAR,
    low DOUBLE,
    high DOUBLE,
    samples DOUBLE[]
);

CREATE OR REPLACE VIEW main.trials AS
SELECT * EXCLUDE (number, newest) FROM store.trial WHERE newest;

-- One row per measurement of a kernel: `params` is JSON, `low` and `high` bound 99 %, `value` is in `unit`.
CREATE VIEW main.benchmarks AS
SELECT * EXCLUDE (number) FROM store.benchmark;
