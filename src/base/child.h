/*-------------------------------------------------------------------------
 * child.h
 *		Running a shell command for a background worker, or a backend that can wait.
 *
 * The command runs in the data directory, in a session and a process group
 * of its own. It has no open file of the server but the log, to which its
 * stderr goes; its stdin is empty; signals are as in a fresh process.
 *
 * When it is over, whichever way, its whole group is killed: when its shell
 * ends, when its time is up, when it prints too much, when the caller raises
 * an error or exits, and also when the caller is killed. What has left the
 * group (setsid) is not found.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CHILD_H
#define AT_CHILD_H

typedef struct AtChildOutcome
{
	bool timed_out;     /* its time was up */
	bool is_too_long;   /* it printed more than it may */
	bool is_called_off; /* the caller did not want it any more */
	int status;         /* how its shell ended, as of waitpid(); not set if one of these is */
	char *output;       /* what it printed, palloc'd; a zero byte behind it */
	int len;
} AtChildOutcome;

/* What the command is stopped for. */
typedef struct AtChildLimits
{
	int timeout_ms;
	int output_max; /* bytes that it may print */
	bool (*call_off)(
		void); /* asked when the caller's latch is set: true if it is to stop; or NULL */
} AtChildLimits;

/*
 * Run the command by /bin/sh and wait for its end, heeding interrupts. Raises
 * an error only where processes or pipes cannot be had.
 */
extern void at_child_run(const char *command, const AtChildLimits *limits, AtChildOutcome *outcome);

/* Did it end well? If not, *detail says how it ended, palloc'd. */
extern bool at_child_succeeded(const AtChildOutcome *outcome, const AtChildLimits *limits,
							   char **detail);

#endif
