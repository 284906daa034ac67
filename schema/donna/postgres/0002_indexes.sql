-- DEPENDS: 0001_core_tables.sql
-- WHY: the plan's indexes for look-ups by user, status, time and sequence.
-- ALLOW: 3.1 because an index of such a name that is not ours must stop the run
-- ALLOW: 8.3 because it runs behind 0001, in one transaction with it: the tables are empty

CREATE INDEX idx_users_clerk_id ON users(clerk_id);
CREATE INDEX idx_users_email ON users(email);
CREATE INDEX idx_users_status ON users(status);

CREATE INDEX idx_chat_sessions_chat_id ON chat_sessions(chat_id);
CREATE INDEX idx_chat_sessions_user_id ON chat_sessions(user_id);
CREATE INDEX idx_chat_sessions_profile ON chat_sessions(profile);
CREATE INDEX idx_chat_sessions_status ON chat_sessions(status);
CREATE INDEX idx_chat_sessions_last_message ON chat_sessions(last_message_at);

CREATE INDEX idx_messages_chat_session ON messages(chat_session_id);
CREATE INDEX idx_messages_role ON messages(role);
CREATE INDEX idx_messages_sequence ON messages(chat_session_id, sequence_number);
CREATE INDEX idx_messages_created_at ON messages(created_at);
CREATE INDEX idx_messages_abuse_flagged ON messages(abuse_flagged);

CREATE INDEX idx_user_memory_user_id ON user_memory(user_id);
CREATE INDEX idx_user_memory_type ON user_memory(memory_type);
CREATE INDEX idx_user_memory_expires ON user_memory(expires_at);

CREATE INDEX idx_messages_chat_recent ON messages(chat_session_id, created_at DESC);
CREATE INDEX idx_chat_sessions_user_recent ON chat_sessions(user_id, last_message_at DESC);
CREATE INDEX idx_user_memory_lookup ON user_memory(user_id, memory_type, key);

-- ENSURE: SELECT count(*) = 19 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
-- WHERE c.relname LIKE 'idx\_%' AND i.indisvalid AND i.indrelid IN
-- (to_regclass('users'), to_regclass('chat_sessions'), to_regclass('messages'), to_regclass('user_memory'));
