/*-------------------------------------------------------------------------
 * primary.h
 *		The connection of a standby's collector to the primary server.
 *
 * There is one a process. Nothing here blocks: waiting can be interrupted, and ends when the
 * time is over.
 *
 * Caveat: libpq asks for the address of a host by its name, and that waits for the name
 * service; hostaddr avoids it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PRIMARY_H
#define AT_PRIMARY_H

/* A parameter of a command, as text, or as bytes where len is not 0. */
typedef struct AtPrimaryParam
{
	Oid type;
	const char *value;
	int len;
} AtPrimaryParam;

/* Most parameters of a command. */
#define AT_PRIMARY_PARAMS 8

/*
 * Connect to a database of the server that audit_trail.primary_conninfo tells, unless that
 * has been done and the connection stands. False if it fails; at_primary_failure() tells why.
 */
extern bool at_primary_connect(const char *database);

/* Is there a connection, as far as is known without asking? */
extern bool at_primary_is_connected(void);

/*
 * Run a command that returns nothing of interest. False if it fails or it is not known what has
 * become of it; then the connection is closed.
 */
extern bool at_primary_run(const char *command, const AtPrimaryParam *params, int nparams);

/* Why the last call failed: one line. */
extern const char *at_primary_failure(void);

extern void at_primary_close(void);

#endif
