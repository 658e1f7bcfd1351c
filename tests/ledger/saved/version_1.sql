BEGIN TRANSACTION;
PRAGMA application_id = 2003657836;
PRAGMA user_version = 1;
CREATE TABLE attempts (
  run        INTEGER NOT NULL REFERENCES runs (id), n INTEGER NOT NULL CHECK (n >= 1),
  token      TEXT NOT NULL CHECK (length(token) = 32),                    -- 128 random bits, hex: names the result file
  owner      TEXT NOT NULL,                                               -- boot id, pid, pid start time: for people
  started_at INTEGER NOT NULL, ended_at INTEGER,
  outcome    TEXT CHECK (outcome IN ('ok', 'retryable_error', 'invalid_request', 'invalid_output',
                                     'needs_human', 'timeout', 'crashed', 'cancelled')),
  detail     TEXT CHECK (detail IS NULL OR json_valid(detail)),           -- error code, backend, duration, usage
  PRIMARY KEY (run, n), CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO "attempts" VALUES(1,1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','boot 1 2',1700000001000000,1700000002000000,'timeout','{"code": "timeout"}');
INSERT INTO "attempts" VALUES(1,2,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','boot 1 3',1700000003000000,1700000004000000,'ok','{"backend": "function"}');
INSERT INTO "attempts" VALUES(2,1,'cccccccccccccccccccccccccccccccc','boot 1 4',1700000006000000,1700000007000000,'needs_human','{}');
INSERT INTO "attempts" VALUES(3,1,'0123456789abcdef0123456789abcdef','boot 1 5',1700000010000000,NULL,NULL,NULL);
CREATE TABLE rejections (id INTEGER PRIMARY KEY, worker_id TEXT NOT NULL, run_id TEXT, code TEXT NOT NULL,
  input_sha256 BLOB CHECK (input_sha256 IS NULL OR length(input_sha256) = 32), at INTEGER NOT NULL) STRICT;
INSERT INTO "rejections" VALUES(1,'example','bad','input_schema_mismatch',X'0000000000000000000000000000000000000000000000000000000000000000',1700000012000000);
CREATE TABLE reopenings (run INTEGER NOT NULL REFERENCES runs (id), n INTEGER NOT NULL CHECK (n >= 1),
  granted INTEGER NOT NULL CHECK (granted >= 1), who TEXT NOT NULL CHECK (who <> ''), reason TEXT NOT NULL,
  envelope BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (run, n)) STRICT, WITHOUT ROWID;
INSERT INTO "reopenings" VALUES(2,1,2,'ann','mended',X'7B2265223A327D',1700000008000000);
CREATE TABLE runs (
  id           INTEGER PRIMARY KEY,
  worker_id    TEXT NOT NULL CHECK (worker_id <> ''), run_id TEXT NOT NULL CHECK (run_id <> ''),
  input_sha256 BLOB NOT NULL CHECK (length(input_sha256) = 32),           -- of the canonical JSON (RFC 8785)
  input        BLOB NOT NULL,                                             -- that canonical JSON
  contract_sha256 BLOB NOT NULL CHECK (length(contract_sha256) = 32),     -- S4.5
  max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),                -- as admitted; a later contract cannot raise it
  attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND max_attempts),
  state        TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
  status       TEXT CHECK (status <> ''),   -- the five, or a contract's own (S1.6)
  output       BLOB, envelope BLOB,                                       -- output: the exact bytes printed
  created_at   INTEGER NOT NULL, settled_at INTEGER,                      -- Unix microseconds, labels only
  UNIQUE (worker_id, run_id),
  CHECK (state <> 'running' OR attempts > 0), CHECK (state <> 'waiting' OR attempts < max_attempts),
  CHECK ((state = 'done') = (status   IS NOT NULL)), CHECK ((state = 'done') = (output     IS NOT NULL)),
  CHECK ((state = 'done') = (envelope IS NOT NULL)), CHECK ((state = 'done') = (settled_at IS NOT NULL))
) STRICT;
INSERT INTO "runs" VALUES(1,'example','done',X'8639BA16BCB936F194863805CC609CBA97BB33BF39907ED3FB46F51FF896154F',X'7B2272756E5F6964223A22646F6E65227D',X'CC8321D6375C494D043FDD0260F21BC0EC51DACC9F6ABB7F909CDCD3041B78BF',3,2,'done','ok',X'7B22737461747573223A226F6B227D',X'7B2265223A317D',1700000000000000,1700000004000000);
INSERT INTO "runs" VALUES(2,'example','reopened',X'4865191F2D360104A68DD95A8EA98F0B478532CA8A80C31AB072DFE99FBCD3B6',X'7B2272756E5F6964223A2272656F70656E6564227D',X'CC8321D6375C494D043FDD0260F21BC0EC51DACC9F6ABB7F909CDCD3041B78BF',3,1,'waiting',NULL,NULL,NULL,1700000005000000,NULL);
INSERT INTO "runs" VALUES(3,'example','running',X'C5384FD1567263586FE2B94D0484C0D80B218BF1223BD0EC2DB0CDD726A38DBB',X'7B2272756E5F6964223A2272756E6E696E67227D',X'CC8321D6375C494D043FDD0260F21BC0EC51DACC9F6ABB7F909CDCD3041B78BF',2,1,'running',NULL,NULL,NULL,1700000009000000,NULL);
INSERT INTO "runs" VALUES(4,'example','waiting',X'D6C4091964921C608719C43D7694741FC776808A4F18ADB2B174083B6D7E5CA1',X'7B2272756E5F6964223A2277616974696E67227D',X'CC8321D6375C494D043FDD0260F21BC0EC51DACC9F6ABB7F909CDCD3041B78BF',2,0,'waiting',NULL,NULL,NULL,1700000011000000,NULL);
CREATE UNIQUE INDEX one_open_attempt ON attempts (run) WHERE outcome IS NULL;
CREATE TRIGGER settled_run_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' AND NEW.max_attempts <= OLD.max_attempts
BEGIN SELECT RAISE(ABORT, 'a settled run does not change'); END;
CREATE TRIGGER attempts_count_up BEFORE UPDATE OF attempts ON runs WHEN NEW.attempts <> OLD.attempts + 1 OR NEW.state <> 'running'
BEGIN SELECT RAISE(ABORT, 'attempts go up by one, with a claim'); END;
CREATE TRIGGER key_is_fixed BEFORE UPDATE OF worker_id, run_id, input_sha256, input, contract_sha256 ON runs
BEGIN SELECT RAISE(ABORT, 'the key and the input of a run do not change'); END;
CREATE TRIGGER ended_attempt_is_final BEFORE UPDATE ON attempts WHEN OLD.outcome IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an ended attempt does not change'); END;
CREATE TRIGGER unfinished_run_stays BEFORE DELETE ON runs WHEN OLD.state <> 'done'
BEGIN SELECT RAISE(ABORT, 'an unfinished run is not removed'); END;
COMMIT;
