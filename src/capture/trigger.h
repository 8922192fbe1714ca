/*-------------------------------------------------------------------------
 * trigger.h
 *		The triggers that capture changes.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TRIGGER_H
#define AT_TRIGGER_H

/*
 * Names of the triggers on an audited table. Triggers fire in the order of
 * their names; these stand before the foreign keys' ("RI_..."), so that a
 * delete is recorded before the deletes that it cascades to.
 */
#define AT_ROW_TRIGGER      "00_audit_capture"
#define AT_TRUNCATE_TRIGGER "00_audit_truncate"

#endif
