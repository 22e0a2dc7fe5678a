CREATE TABLE entries (
	id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	interface VARCHAR(64), 
	partition DATE, 
	file_name VARCHAR(255) NOT NULL, 
	sha256 VARCHAR(64), 
	size BIGINT, 
	records BIGINT, 
	baseline DATE, 
	snapshot_sha256 VARCHAR(64), 
	state VARCHAR(16) NOT NULL, 
	created_at VARCHAR(40) NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE events (
	sequence INTEGER NOT NULL, 
	entry_id INTEGER, 
	kind VARCHAR(8) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	run_id VARCHAR(64), 
	operator VARCHAR(128) NOT NULL, 
	detail TEXT NOT NULL, 
	previous_hash VARCHAR(64) NOT NULL, 
	row_hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (sequence), 
	FOREIGN KEY(entry_id) REFERENCES entries (id)
);
CREATE TABLE linkage_dates (
	sequence INTEGER NOT NULL, 
	resident_number VARCHAR(15) NOT NULL, 
	known_from DATE NOT NULL, 
	entry_id INTEGER NOT NULL, 
	municipal_insured_id VARCHAR(32), 
	acquired_on DATE, 
	acquisition_reason VARCHAR(32), 
	lost_on DATE, 
	loss_reason VARCHAR(32), 
	applied_on DATE, 
	ended_on DATE, 
	judgement VARCHAR(32), 
	PRIMARY KEY (sequence)
);
CREATE TABLE linkage_ids (
	sequence INTEGER NOT NULL, 
	resident_number VARCHAR(15) NOT NULL, 
	known_from DATE NOT NULL, 
	entry_id INTEGER NOT NULL, 
	municipal_insured_id VARCHAR(32), 
	prefecture_insured_id VARCHAR(32), 
	assigned_on DATE, 
	PRIMARY KEY (sequence)
);
CREATE TABLE linkage_verifications (
	sequence INTEGER NOT NULL, 
	resident_number VARCHAR(15) NOT NULL, 
	known_from DATE NOT NULL, 
	entry_id INTEGER NOT NULL, 
	verification_kind VARCHAR(32), 
	my_number_registered_on DATE, 
	detected_on DATE, 
	PRIMARY KEY (sequence)
);
CREATE TABLE linkage_discrepancies (
	sequence INTEGER NOT NULL, 
	entry_id INTEGER NOT NULL, 
	known_from DATE NOT NULL, 
	interface VARCHAR(64) NOT NULL, 
	resident_number VARCHAR(15) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	title VARCHAR(64) NOT NULL, 
	ours TEXT NOT NULL, 
	theirs TEXT NOT NULL, 
	question TEXT NOT NULL, 
	set_aside BOOLEAN NOT NULL, 
	PRIMARY KEY (sequence)
);
CREATE TABLE continuity_decisions (
	sequence INTEGER NOT NULL, 
	month DATE NOT NULL, 
	candidate_number VARCHAR(16) NOT NULL, 
	old_municipality_code VARCHAR(6), 
	old_household_number VARCHAR(15), 
	new_household_number VARCHAR(15), 
	moved_on DATE, 
	proposal VARCHAR(16) NOT NULL, 
	rule VARCHAR(8) NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	remark TEXT NOT NULL, 
	decided_by VARCHAR(128) NOT NULL, 
	approved_by VARCHAR(128) NOT NULL, 
	facts_sha256 VARCHAR(64) NOT NULL, 
	worksheet_sha256 VARCHAR(64) NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	operator VARCHAR(128) NOT NULL, 
	PRIMARY KEY (sequence)
);
CREATE TABLE left_behind (
	place VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	size BIGINT, 
	modified FLOAT, 
	since VARCHAR(40) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	PRIMARY KEY (place, name)
);
CREATE INDEX entries_by_partition ON entries (direction, partition);
CREATE INDEX entries_by_content ON entries (direction, sha256);
CREATE INDEX entries_by_name ON entries (direction, file_name);
CREATE INDEX events_by_entry ON events (entry_id, sequence);
CREATE INDEX ix_linkage_dates_resident_number ON linkage_dates (resident_number);
CREATE INDEX ix_linkage_ids_resident_number ON linkage_ids (resident_number);
CREATE INDEX ix_linkage_verifications_resident_number ON linkage_verifications (resident_number);
CREATE INDEX ix_linkage_discrepancies_known_from ON linkage_discrepancies (known_from);
CREATE INDEX ix_continuity_decisions_month ON continuity_decisions (month);
CREATE TRIGGER events_keep_rows BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_keep_text BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
