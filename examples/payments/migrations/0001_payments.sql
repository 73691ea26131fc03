CREATE TABLE payments (
    id TEXT PRIMARY KEY,
    amount_cents BIGINT NOT NULL,
    settled_at BIGINT
);

CREATE INDEX payments_not_settled ON payments (id) WHERE settled_at IS NULL;

-- The receipts that are owed: a row is made in the transaction of the payment, and stands until the receipt is
-- written, whatever becomes of the queue meanwhile. Times are milliseconds since 1970.
CREATE TABLE receipts (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    owed_since BIGINT NOT NULL,
    -- When it is enqueued again, if it has not been written by then.
    due_at BIGINT NOT NULL,
    written_at BIGINT
);

CREATE INDEX receipts_due ON receipts (due_at) WHERE written_at IS NULL;

-- For the payments that were charged last.
CREATE INDEX receipts_owed_since ON receipts (owed_since);
