-- Records that were dropped: they are in no other table, whether they came before their tombstone or come after it.
CREATE TABLE store.tombstone (
    record VARCHAR NOT NULL,
    trial VARCHAR,
    run VARCHAR,
    dropped DOUBLE NOT NULL,
    machine VARCHAR NOT NULL,
    reason VARCHAR NOT NULL
);

-- One row per dropped record: when, where and why.
CREATE VIEW main.dropped AS
SELECT record, any_value(trial) AS trial, any_value(run) AS run, min(dropped) AS dropped,
    arg_min(machine, (dropped, machine)) AS machine, arg_min(reason, (dropped, machine)) AS reason
FROM store.tombstone GROUP BY record;

-- A program that knew no tombstones may have taken some in as records without meaning: their segments are read again.
DELETE FROM store.segment WHERE name IN (SELECT segment FROM store.record WHERE kind = 'tombstone');
DELETE FROM store.record WHERE kind = 'tombstone';
