-- WHY: the plan's table for structured logs, filled by `migrate --with logs`.
-- OPTIONAL: logs
-- ALLOW: 3.1 because a table of this name that is not ours must stop the run
--
-- Checks as in 0001; that of an address is rough, it only refuses what cannot be one.

CREATE TABLE system_logs (
    id TEXT NOT NULL PRIMARY KEY
        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
            || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))
        CHECK (id GLOB '????????-????-????-????-????????????'
            AND length(replace(id, '-', '')) = 32 AND id NOT GLOB '*[^0-9a-f-]*'),
    level TEXT NOT NULL CHECK (length(level) <= 20),
    message TEXT NOT NULL,
    context TEXT DEFAULT '{}' CHECK (json_valid(context)),
    trace_id TEXT CHECK (length(trace_id) <= 255),
    ip_address TEXT CHECK (ip_address GLOB '*[.:]*' AND ip_address NOT GLOB '*[^0-9a-fA-F.:/]*'),
    user_agent TEXT,
    request_uri TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        CHECK (created_at GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND length(created_at) = 27
            AND substr(created_at, 1, 19) IS strftime('%Y-%m-%dT%H:%M:%S', substr(created_at, 1, 19)))
) STRICT;

CREATE INDEX idx_system_logs_level ON system_logs(level);
CREATE INDEX idx_system_logs_trace_id ON system_logs(trace_id);
CREATE INDEX idx_system_logs_created_at ON system_logs(created_at);

-- ENSURE: SELECT count(*) = 9 FROM pragma_table_info('system_logs');
