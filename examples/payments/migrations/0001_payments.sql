CREATE TABLE payments (
    id TEXT PRIMARY KEY,
    amount_cents BIGINT NOT NULL,
    settled_at BIGINT
);

-- The receipts that are owed: a row is made in the transaction of the payment, and stands until the receipt is
-- written, whatever becomes of the queue meanwhile. Times are milliseconds since 1970.
CREATE TABLE receipts (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    owed_since BIGINT NOT NULL,
    written_at BIGINT
);

-- For what is owed the longest, and for what was charged last.
CREATE INDEX receipts_owed_since ON receipts (owed_since);
