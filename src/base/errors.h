/*-------------------------------------------------------------------------
 * errors.h
 *		Every private SQLSTATE of audit_trail, class TR.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ERRORS_H
#define AT_ERRORS_H

/* A ledger row was to be changed, removed, locked or added from outside. */
#define ERRCODE_AT_WRITE_ONCE MAKE_SQLSTATE('T', 'R', '0', '0', '1')

/* A change could not be recorded, so it is refused. */
#define ERRCODE_AT_CAPTURE_FAILED MAKE_SQLSTATE('T', 'R', '0', '0', '2')

/* The table cannot be audited, is not audited, or is audited already in another way. */
#define ERRCODE_AT_BAD_TARGET MAKE_SQLSTATE('T', 'R', '0', '0', '3')

/* A background worker is needed and not there. */
#define ERRCODE_AT_NO_WORKER MAKE_SQLSTATE('T', 'R', '0', '0', '4')

/* The ledger does not exist yet, or not whole. */
#define ERRCODE_AT_NO_LEDGER MAKE_SQLSTATE('T', 'R', '0', '0', '5')

/* Stored hashes and stored rows disagree. */
#define ERRCODE_AT_INTEGRITY MAKE_SQLSTATE('T', 'R', '0', '0', '6')

/* The guard refuses a command on an object of the audit trail, or roles that exclude each other. */
#define ERRCODE_AT_GUARDED MAKE_SQLSTATE('T', 'R', '0', '0', '7')

/* A change is refused because nobody says who makes it. */
#define ERRCODE_AT_NO_CONTEXT MAKE_SQLSTATE('T', 'R', '0', '0', '9')

/* The act takes the approval of another person, or this one may not give it. */
#define ERRCODE_AT_NOT_APPROVED MAKE_SQLSTATE('T', 'R', '0', '1', '0')

/* No such type of event is in the catalogue, or what is emitted does not fit it. */
#define ERRCODE_AT_BAD_EVENT MAKE_SQLSTATE('T', 'R', '0', '1', '2')

/* An alert rule refuses a change. */
#define ERRCODE_AT_BLOCKED MAKE_SQLSTATE('T', 'R', '0', '1', '3')

/* What is read cannot be recorded in time, and must not be shown before. */
#define ERRCODE_AT_NOT_RECORDED MAKE_SQLSTATE('T', 'R', '0', '1', '4')

#endif
