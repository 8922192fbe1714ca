/*-------------------------------------------------------------------------
 * request.h
 *		What one person asks for and another must approve.
 *
 * A request is a control record of the log, and so are the approval or the
 * refusal that follow. Its request_id is the log_index of its record. Nobody
 * approves what he has asked for himself: that is told by who has logged in,
 * which no SET ROLE, SET SESSION AUTHORIZATION or function with its owner's
 * rights changes. Nor do two roles count as two persons of which one is a
 * member of the other. A superuser approves only as a member of the role that
 * may, like everybody else.
 *
 * What is approved is done by a function in C that its room registers, in the
 * transaction of the approval: both happen, or neither.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REQUEST_H
#define AT_REQUEST_H

#include "ledger/control.h"

#define AT_KIND_REQUEST "request"
#define AT_KIND_APPROVE "approve"
#define AT_KIND_REFUSE  "refuse"

/* A request that is being approved. */
typedef struct AtApproval
{
	AtControl *control; /* for what is to be appended besides */
	int64 request_id;
	int64 approval_id; /* log_index of the approval */
	const char *what;  /* the text of a JSON object */
	const char *requested_by;
	const char *approved_by;
} AtApproval;

/* A kind of request. */
typedef struct AtRequestKind
{
	const char *name;     /* "purge" */
	const char *approver; /* kind of role (audit.role) whose members approve it */

	/* Do it; an error leaves the request open. NULL: somebody reads of the approval in the log. */
	void (*run)(const AtApproval *approval);
} AtRequestKind;

/* Register a kind, from a module's init function; it must stay. */
extern void at_request_register(const AtRequestKind *kind);

/*
 * Ask for something of a registered kind, within at_control_begin() and at_control_end(); `what`
 * is the text of a JSON object. Returns the request_id. ERRCODE_AT_NOT_APPROVED for a process
 * that nobody has logged in to. Whether the caller may ask is for the caller to check.
 */
extern int64 at_request_make(AtControl *control, const char *kind, const char *what,
							 const char *reason);

/* Who has logged in; ERRCODE_AT_NOT_APPROVED if nobody has. In the current context. */
extern char *at_request_login(void);

/* Raise an error unless the text, called `what` in it, has from 1 to AT_MAX_CONTEXT_LENGTH bytes.
 */
extern void at_request_check_text(const char *what, const char *text);

#endif
