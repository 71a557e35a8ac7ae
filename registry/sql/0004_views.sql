-- Two more views of the public interface: results at a glance, and what the papers said.

-- One row per method and task of the newest run of each spec. What answers a line of the plan is the newest record of
-- the planned fingerprint. A trial that diverged or ended with NaN or infinity counts as infinitely bad; `n` counts
-- values, `planned` lines of the plan; `missing` have no record yet.
CREATE VIEW main.leaderboard AS
WITH latest AS (
    SELECT number, run, spec, started FROM store.run
    QUALIFY row_number() OVER (PARTITION BY spec ORDER BY started DESC, run DESC) = 1
),
ranking AS (
    SELECT number, task, entry ->> '$.metrics[0].name' AS metric, entry ->> '$.metrics[0].direction' AS direction
    FROM store.task_info WHERE number IN (SELECT number FROM latest)
),
answers AS (
    SELECT l.spec, l.run, l.started, p.task, p.method, r.metric, r.direction, t.status,
        CASE
            WHEN t.status = 'ok' AND isfinite(f.value) THEN f.value
            WHEN t.status = 'diverged' OR (t.status = 'ok' AND f.value IS NOT NULL) THEN
                CASE r.direction WHEN 'min' THEN 'infinity'::DOUBLE WHEN 'max' THEN '-infinity'::DOUBLE END
        END AS value
    FROM store.plan p
    JOIN latest l USING (number)
    LEFT JOIN ranking r ON r.number = p.number AND r.task = p.task
    LEFT JOIN store.trial t ON t.trial = p.trial AND t.newest
        AND (t.fingerprint = p.fingerprint OR (p.fingerprint IS NULL AND t.current))
    LEFT JOIN store.final f ON f.number = t.number AND f.metric = r.metric
)
SELECT spec, run, started, task, method, metric, direction,
    count(value) AS n,
    median(value) AS median,
    min(value) AS min,
    max(value) AS max,
    count(*) AS planned,
    count(*) FILTER (status = 'ok') AS ok,
    count(*) FILTER (status = 'diverged') AS diverged,
    count(*) FILTER (status = 'skipped') AS skipped,
    count(*) FILTER (status IN ('error', 'timeout', 'out-of-memory', 'killed', 'lost')) AS failed,
    count(*) FILTER (status IS NULL) AS missing
FROM answers GROUP BY spec, run, started, task, method, metric, direction;

-- Each claim of each run as its spec gave it then; `effect` and `entry` (the whole claim) are JSON.
CREATE VIEW main.claims AS
SELECT u.run, u.spec, u.started, c.value ->> '$.id' AS claim, c.value ->> '$.text' AS text,
    c.value ->> '$.source' AS source, c.value ->> '$.paper' AS paper, try_cast(c.value ->> '$.n' AS BIGINT) AS n,
    CAST(c.value -> '$.effect' AS VARCHAR) AS effect, CAST(c.value AS VARCHAR) AS entry
FROM store.run u, json_each(u.claims) AS c;
