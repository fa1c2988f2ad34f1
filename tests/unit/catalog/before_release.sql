-- The tables of a catalog that was made before the first release and has its last schema.
CREATE TABLE platforms (
    id VARCHAR(36) NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    user TEXT NOT NULL,
    thumbprint_sha256 TEXT, allows_plain_transport BOOLEAN DEFAULT 0 NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_platforms_address UNIQUE (address, port),
    UNIQUE (name)
);
CREATE TABLE standbys (
    id VARCHAR(36) NOT NULL,
    name TEXT NOT NULL,
    root_path TEXT NOT NULL, note TEXT DEFAULT '' NOT NULL, mark VARCHAR(36), encryption VARCHAR(16) DEFAULT 'off' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    UNIQUE (root_path)
);
CREATE TABLE tasks (
    id VARCHAR(36) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    state VARCHAR(24) NOT NULL,
    vm TEXT NOT NULL,
    vm_name TEXT NOT NULL,
    platform_id VARCHAR(36),
    standby_id VARCHAR(36) NOT NULL,
    rule_name TEXT NOT NULL,
    priority INTEGER NOT NULL,
    host TEXT NOT NULL,
    point VARCHAR(512),
    request TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    started_at DATETIME,
    ended_at DATETIME,
    total_bytes BIGINT NOT NULL,
    done_bytes BIGINT NOT NULL,
    read_bytes BIGINT NOT NULL,
    written_bytes BIGINT NOT NULL,
    source_busy_s FLOAT NOT NULL,
    processing_busy_s FLOAT NOT NULL,
    target_busy_s FLOAT NOT NULL,
    error_code VARCHAR(64),
    error_params TEXT, target_path TEXT DEFAULT '' NOT NULL, rule_id VARCHAR(36),
    PRIMARY KEY (id)
);
CREATE INDEX ix_tasks_by_time ON tasks (created_at);
CREATE INDEX ix_tasks_by_vm ON tasks (platform_id, vm, created_at);
CREATE TABLE task_stages (
    id INTEGER NOT NULL,
    task_id VARCHAR(36) NOT NULL,
    state VARCHAR(24) NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE INDEX ix_task_stages_by_task ON task_stages (task_id, id);
CREATE TABLE snapshot_journal (
    task_id VARCHAR(36) NOT NULL,
    platform_id VARCHAR(36) NOT NULL,
    vm TEXT NOT NULL,
    opened_at DATETIME NOT NULL,
    PRIMARY KEY (task_id)
);
CREATE TABLE restore_journal (
    task_id VARCHAR(36) NOT NULL,
    platform_id VARCHAR(36) NOT NULL,
    phase VARCHAR(16) NOT NULL,
    name TEXT NOT NULL,
    created_as TEXT NOT NULL,
    created_vm TEXT,
    replaced_vm TEXT,
    PRIMARY KEY (task_id)
);
CREATE TABLE repositories (
    standby_id VARCHAR(36) NOT NULL,
    target_path VARCHAR(1024) NOT NULL,
    repository_id VARCHAR(36) NOT NULL, is_encrypted BOOLEAN DEFAULT 0 NOT NULL,
    PRIMARY KEY (standby_id, target_path),
    FOREIGN KEY(standby_id) REFERENCES standbys (id) ON DELETE CASCADE
);
CREATE TABLE points (
    standby_id VARCHAR(36) NOT NULL,
    target_path VARCHAR(1024) NOT NULL,
    id VARCHAR(512) NOT NULL,
    chain TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    platform_address TEXT NOT NULL,
    vm TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    capacity_bytes BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    body BLOB NOT NULL,
    verification VARCHAR(16) NOT NULL,
    verified_at DATETIME, vm_name TEXT DEFAULT '' NOT NULL, sequence BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (standby_id, target_path, id),
    FOREIGN KEY(standby_id) REFERENCES standbys (id) ON DELETE CASCADE
);
CREATE INDEX ix_points_by_vm ON points (platform_address, vm, created_at);
CREATE INDEX ix_tasks_by_rule ON tasks (rule_id, vm, created_at);
CREATE TABLE rules (
    id VARCHAR(36) NOT NULL,
    name TEXT NOT NULL,
    platform_id VARCHAR(36) NOT NULL,
    standby_id VARCHAR(36) NOT NULL,
    target_path TEXT NOT NULL,
    advanced TEXT NOT NULL,
    policy TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    considered_until DATETIME NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);
CREATE TABLE rule_vms (
    rule_id VARCHAR(36) NOT NULL,
    vm VARCHAR(255) NOT NULL,
    platform_id VARCHAR(36) NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    is_started BOOLEAN NOT NULL, instance_uuid VARCHAR(64), bios_uuid VARCHAR(64), platform_uuid VARCHAR(64),
    PRIMARY KEY (rule_id, vm),
    CONSTRAINT uq_rule_vms_vm UNIQUE (platform_id, vm),
    FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE
);
CREATE TABLE vm_successions (
    platform_id VARCHAR(36) NOT NULL,
    old_vm VARCHAR(255) NOT NULL,
    new_vm VARCHAR(255) NOT NULL,
    at DATETIME NOT NULL,
    PRIMARY KEY (platform_id, old_vm)
);
CREATE TABLE platform_sightings (
    platform_id VARCHAR(36) NOT NULL,
    checked_at DATETIME NOT NULL,
    reachable BOOLEAN NOT NULL,
    facts TEXT,
    license_name TEXT NOT NULL,
    vm_count INTEGER,
    error_code VARCHAR(64),
    error_params TEXT,
    PRIMARY KEY (platform_id),
    FOREIGN KEY(platform_id) REFERENCES platforms (id) ON DELETE CASCADE
);
CREATE TABLE engines (
    id VARCHAR(36) NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at DATETIME NOT NULL,
    beat_at DATETIME NOT NULL,
    ended_at DATETIME,
    PRIMARY KEY (id)
);
CREATE TABLE log (
    id INTEGER NOT NULL,
    at DATETIME NOT NULL,
    level INTEGER NOT NULL,
    action VARCHAR(64) NOT NULL,
    subject TEXT NOT NULL,
    code VARCHAR(96) NOT NULL,
    params TEXT NOT NULL,
    task_id VARCHAR(36),
    rule_id VARCHAR(36),
    vm VARCHAR(255),
    PRIMARY KEY (id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE INDEX ix_log_by_time ON log (at);
CREATE INDEX ix_log_by_task ON log (task_id, id);
CREATE INDEX ix_log_by_rule ON log (rule_id, at);
CREATE INDEX ix_log_by_vm ON log (vm, at);
CREATE INDEX ix_log_warnings ON log (at) WHERE level >= 30;
CREATE INDEX ix_log_warnings_by_rule ON log (rule_id, at) WHERE level >= 30;
CREATE TABLE subjects (
    id INTEGER NOT NULL,
    rule_id VARCHAR(36) NOT NULL,
    vm VARCHAR(255) NOT NULL,
    vm_name TEXT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_subjects UNIQUE (rule_id, vm)
);
CREATE TABLE day_figures (
    subject_id INTEGER NOT NULL,
    day DATE NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    read_bytes BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    PRIMARY KEY (subject_id, day),
    FOREIGN KEY(subject_id) REFERENCES subjects (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE TABLE unviewed_errors (
    task_id VARCHAR(36) NOT NULL,
    rule_id VARCHAR(36),
    vm VARCHAR(255) NOT NULL,
    PRIMARY KEY (task_id),
    FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE INDEX ix_unviewed_errors_by_rule ON unviewed_errors (rule_id, vm);
CREATE TABLE traffic_seconds (
    at_s BIGINT NOT NULL,
    rule_id VARCHAR(36) NOT NULL,
    vm VARCHAR(255) NOT NULL,
    read_bytes BIGINT NOT NULL,
    written_bytes BIGINT NOT NULL,
    is_rolled_up BOOLEAN NOT NULL,
    PRIMARY KEY (at_s, rule_id, vm)
)
 WITHOUT ROWID;
CREATE TABLE traffic (
    subject_id INTEGER NOT NULL,
    slice_s INTEGER NOT NULL,
    at_s BIGINT NOT NULL,
    read_bytes BIGINT NOT NULL,
    written_bytes BIGINT NOT NULL,
    PRIMARY KEY (subject_id, slice_s, at_s),
    FOREIGN KEY(subject_id) REFERENCES subjects (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE INDEX ix_points_by_rule ON points (rule_name, vm, created_at);
CREATE INDEX ix_points_by_name ON points (created_at, vm_name, rule_name, id, standby_id, target_path);
CREATE INDEX ix_tasks_by_state ON tasks (state, created_at, id);
CREATE INDEX ix_tasks_ended ON tasks (ended_at);
CREATE INDEX ix_tasks_ended_by_rule ON tasks (rule_id, ended_at);
CREATE INDEX ix_tasks_failed ON tasks (state, ended_at) WHERE state = 'failed';
CREATE INDEX ix_tasks_failed_by_rule ON tasks (rule_id, ended_at) WHERE state = 'failed';
CREATE INDEX ix_tasks_last_results ON tasks (rule_id, vm, ended_at) WHERE kind = 'backup' AND state IN ('completed', 'failed');
CREATE TABLE settings (
    name VARCHAR(64) NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (name)
);
CREATE INDEX ix_points_tallies ON points (standby_id, target_path, rule_name, platform_address, vm, created_at, stored_bytes, capacity_bytes);
CREATE INDEX ix_tasks_no_backup ON tasks (created_at, id) WHERE kind <> 'backup';
CREATE INDEX ix_points_tally ON points (standby_id, target_path, rule_name, platform_address, vm, sequence, created_at, stored_bytes, capacity_bytes, vm_name);
CREATE TABLE retries (
    rule_id VARCHAR(36) NOT NULL,
    vm VARCHAR(255) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    number INTEGER NOT NULL,
    times INTEGER NOT NULL,
    due_at DATETIME NOT NULL,
    task_id VARCHAR(36) NOT NULL,
    PRIMARY KEY (rule_id, vm),
    FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE
);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0011');
