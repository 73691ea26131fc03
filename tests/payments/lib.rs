//! The example payments, stopped at every await, as it is and with bugs in it: see the test `crash_points`.
