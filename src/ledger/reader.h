/*-------------------------------------------------------------------------
 * reader.h
 *		What the current user may see of the ledger.
 *
 * Superusers, the extension's owner and auditors see all. A scoped auditor
 * sees what rows of audit.grant say. An admin sees that events happened, and
 * the values of the configuration alone; whoever is an admin is nothing else
 * besides, whatever was granted. A responder and a relay see all alerts, and
 * no events. Everybody else sees nothing, and so do members of the ledger's owner.
 *
 * The current user is that of the running function: of a SECURITY DEFINER one
 * its owner. Answers are cached in the backend; a change of audit.role,
 * audit.grant or of memberships makes the next question look again.
 *-------------------------------------------------------------------------
 */
#ifndef AT_READER_H
#define AT_READER_H

#include "datatype/timestamp.h"

/* May it see that an event of this version of a table, in a transaction of this time, happened? */
extern bool at_reader_sees_event(int32 target_id, TimestampTz tx_at);

/* Its values too? */
extern bool at_reader_sees_values(int32 target_id, TimestampTz tx_at);

/* And whose personal values they are? */
extern bool at_reader_sees_personal(int32 target_id, TimestampTz tx_at);

/* May it see that an alert about this version of a table was raised at this time? */
extern bool at_reader_sees_alert(int32 target_id, TimestampTz raised_at);

/* And what the alert says of values? */
extern bool at_reader_sees_sentence(int32 target_id, TimestampTz raised_at);

/* May it see all of the ledger? */
extern bool at_reader_sees_all(void);

/* May it see any event at all? */
extern bool at_reader_sees_some(void);

/* Is the user a member of the admin role, which configures tables of others too? */
extern bool at_reader_is_admin(Oid user);

/*
 * Set while a function of ours reads the trail to see to the installation, and not to tell of
 * what was recorded: then that is no reading of the caller's. Whoever sets it resets it.
 */
extern bool at_reader_is_ours;

/* Register the invalidation callbacks. */
extern void at_reader_init(void);

#endif
