/*-------------------------------------------------------------------------
 * child.c
 *		Running a shell command for a background worker.
 *
 * Three processes: the worker; a guardian, forked from it, that does nothing
 * but wait; and the shell, the guardian's child, leader of the group that is
 * to be killed. The guardian waits for the shell to end, or for the worker
 * to let go of a pipe, which it does in any case: the kernel closes it when
 * the worker dies of kill -9 too. Then the guardian kills the group.
 *
 * Invariant: the guardian has no shared memory, no file and no signal
 * handler of the server. Else it would keep a postmaster that was killed
 * from starting again, or touch what is not its own.
 *
 * Signals are blocked from before the fork until the guardian has its own
 * handlers: those of the server set latches in shared memory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stringinfo.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/fork_process.h"
#include "storage/latch.h"
#include "storage/pg_shmem.h"
#include "utils/ps_status.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/compat.h"

/* How long a group that is told to end may take before it is killed. */
#define GRACE_MS      500
#define GRACE_STEP_MS 10

/* Where there is no list of open files: so many may be open. */
#define FILES_MAX 65536

#define READ_BYTES 8192

/* Ends of pipes as the guardian has them. */
typedef struct Ends
{
	int output; /* written by the command */
	int leash;  /* read: its end means that the worker has let go */
	int report; /* written by the guardian: the shell's status */
} Ends;

/* What the worker has. */
typedef struct Child
{
	pid_t guardian;
	int output;
	int leash;
	int report;
	StringInfoData text;
	AtChildOutcome *outcome;
} Child;

static void start(Child *child, const char *command);
static void make_pipes(int pipes[3][2]);
static void collect(Child *child, const AtChildLimits *limits);
static bool read_some(Child *child, int max);
static void finish(Child *child);
pg_noreturn static void guard(const char *command, Ends *ends);
static pid_t start_shell(const char *command, const Ends *ends);
static void close_all_but(const Ends *ends);
static void default_signals(void);
static bool is_over(pid_t shell);
static bool sleep_unless_over(const Ends *ends, const sigset_t *unblocked);
static void ask_to_end(pid_t shell);

void
at_child_run(const char *command, const AtChildLimits *limits, AtChildOutcome *outcome)
{
	Child child = {.guardian = -1, .output = -1, .leash = -1, .report = -1, .outcome = outcome};

	memset(outcome, 0, sizeof(*outcome));
	initStringInfo(&child.text);
	start(&child, command);
	PG_TRY();
	{
		collect(&child, limits);
	}
	PG_FINALLY();
	{
		finish(&child);
	}
	PG_END_TRY();
	outcome->output = child.text.data;
	outcome->len = child.text.len;
}

bool
at_child_succeeded(const AtChildOutcome *outcome, const AtChildLimits *limits, char **detail)
{
	if (outcome->timed_out)
		*detail = psprintf("it took longer than %d s and was stopped", limits->timeout_ms / 1000);
	else if (outcome->is_too_long)
		*detail = psprintf("it printed more than %d bytes and was stopped", limits->output_max);
	else if (outcome->is_called_off)
		*detail = pstrdup("it was called off");
	else if (outcome->status != 0)
		*detail = wait_result_to_str(outcome->status);
	else
		return true;
	return false;
}

static void
start(Child *child, const char *command)
{
	int pipes[3][2];
	sigset_t all;
	sigset_t save;

	make_pipes(pipes);
	sigfillset(&all);

	Ends ends = {.output = pipes[0][1], .leash = pipes[1][0], .report = pipes[2][1]};

	sigprocmask(SIG_SETMASK, &all, &save);
	child->guardian = fork_process();
	if (child->guardian == 0)
	{
		close(pipes[0][0]);
		close(pipes[1][1]);
		close(pipes[2][0]);
		guard(command, &ends);
	}
	sigprocmask(SIG_SETMASK, &save, NULL);

	close(ends.output);
	close(ends.leash);
	close(ends.report);
	child->output = pipes[0][0];
	child->leash = pipes[1][1];
	child->report = pipes[2][0];
	if (child->guardian < 0)
	{
		finish(child);
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
						errmsg("could not fork a process for a command: %m")));
	}
}

/* Output, leash, report; not inherited by what other processes are started. */
static void
make_pipes(int pipes[3][2])
{
	for (int i = 0; i < 3; i++)
	{
		if (pipe(pipes[i]) == 0)
		{
			for (int end = 0; end < 2; end++)
				(void) fcntl(pipes[i][end], F_SETFD, FD_CLOEXEC);
			continue;
		}

		int save_errno = errno;

		while (--i >= 0)
		{
			close(pipes[i][0]);
			close(pipes[i][1]);
		}
		errno = save_errno;
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
						errmsg("could not make a pipe for a command: %m")));
	}
}

/*
 * Read to the end of the output, then wait for the guardian's report, until a
 * limit is reached. A command may close its output and go on.
 */
static void
collect(Child *child, const AtChildLimits *limits)
{
	int64 deadline = at_clock_ms() + limits->timeout_ms;
	int source = child->output;

	while (!child->outcome->is_too_long && !child->outcome->is_called_off)
	{
		int64 left = deadline - at_clock_ms();
		int event;

		if (left <= 0)
		{
			child->outcome->timed_out = true;
			return;
		}
		event = WaitLatchOrSocket(
			MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | WL_SOCKET_READABLE, source,
			left, PG_WAIT_EXTENSION);
		if (event & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
			child->outcome->is_called_off = limits->call_off != NULL && limits->call_off();
		}
		if (!(event & WL_SOCKET_READABLE))
			continue;
		if (source == child->report)
			return;
		if (!read_some(child, limits->output_max))
			source = child->report;
	}
}

/* False at the end, or when it is too much. */
static bool
read_some(Child *child, int max)
{
	char buffer[READ_BYTES];
	ssize_t len = read(child->output, buffer, sizeof(buffer));

	if (len < 0)
		return errno == EINTR || errno == EAGAIN;
	if (len == 0)
		return false;
	if (child->text.len + len > max)
	{
		child->outcome->is_too_long = true;
		return false;
	}
	appendBinaryStringInfo(&child->text, buffer, len);
	return true;
}

/* Let go of the leash, and wait for the guardian, which then takes half a second at most. */
static void
finish(Child *child)
{
	int status;

	if (child->output >= 0)
		close(child->output);
	if (child->leash >= 0)
		close(child->leash);
	if (child->guardian > 0)
	{
		while (waitpid(child->guardian, &status, 0) < 0 && errno == EINTR)
			;
		if (read(child->report, &child->outcome->status, sizeof(int)) != sizeof(int))
			child->outcome->status = status != 0 ? status : SIGKILL;
	}
	if (child->report >= 0)
		close(child->report);
	child->output = child->leash = child->report = -1;
}

/* ---- the guardian ---- */

static void
note_signal(int signal)
{
	/* it only has to interrupt pselect() */
}

/* All signals are blocked when this begins. */
static void
guard(const char *command, Ends *ends)
{
	sigset_t unblocked;
	bool let_go = false;
	int status = 0;
	pid_t shell;

	close_all_but(ends);
	ends->leash = fcntl(ends->leash, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* low, for pselect() */
	set_ps_display("waiting for a command");
	PGSharedMemoryDetach();
	default_signals();
	pqsignal(SIGCHLD, note_signal);
	pqsignal(SIGHUP, SIG_IGN);
	pqsignal(SIGINT, SIG_IGN);
	pqsignal(SIGQUIT, SIG_IGN);
	pqsignal(SIGTERM, SIG_IGN);
	if (ends->leash < 0 || setsid() < 0 || (shell = start_shell(command, ends)) < 0)
		_exit(1);

	sigemptyset(&unblocked);
	while (!is_over(shell) && !let_go)
		let_go = sleep_unless_over(ends, &unblocked);
	if (let_go)
		ask_to_end(shell);

	/* while the shell is not reaped, its number cannot be another group's */
	(void) kill(-shell, SIGKILL);
	while (waitpid(shell, &status, 0) < 0 && errno == EINTR)
		;
	_exit(write(ends->report, &status, sizeof(status)) == sizeof(status) ? 0 : 1);
}

/*
 * The guardian keeps no end of the output: the worker sees its end when the
 * last process of the command is gone.
 */
static pid_t
start_shell(const char *command, const Ends *ends)
{
	sigset_t none;
	pid_t shell = fork();

	if (shell == 0)
	{
		int nothing = open("/dev/null", O_RDONLY);

		(void) setpgid(0, 0);
		default_signals();
		sigemptyset(&none);
		if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
			dup2(ends->output, STDOUT_FILENO) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
			_exit(127);
		if (nothing > STDERR_FILENO)
			close(nothing);
		execl("/bin/sh", "sh", "-c", command, (char *) NULL);
		_exit(127);
	}
	if (shell > 0)
		(void) setpgid(shell, shell);
	close(ends->output);
	return shell;
}

/* Close what is open besides stderr and these; the rest is close-on-exec. */
static void
close_all_but(const Ends *ends)
{
	DIR *list = opendir("/dev/fd");
	struct dirent *entry;
	int open_files[1024];
	int count = 0;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (list == NULL)
	{
		for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++)
			if (fd != ends->output && fd != ends->leash && fd != ends->report)
				close(fd);
		return;
	}
	do
	{
		rewinddir(list);
		count = 0;
		while (count < lengthof(open_files) && (entry = readdir(list)) != NULL)
		{
			int fd = atoi(entry->d_name);

			if (fd > STDERR_FILENO && fd != dirfd(list) && fd != ends->output &&
				fd != ends->leash && fd != ends->report)
				open_files[count++] = fd;
		}
		for (int i = 0; i < count; i++)
			close(open_files[i]);
	} while (count == lengthof(open_files));
	closedir(list);
}

/* exec keeps a signal that is ignored, and the server ignores SIGPIPE. */
static void
default_signals(void)
{
	for (int signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			(void) pqsignal(signal, SIG_DFL);
}

/* Has the shell ended? It is not reaped by that. */
static bool
is_over(pid_t shell)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, shell, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == shell;
}

/* Until there is a signal, which may be the shell's end, or the worker lets go: then true. */
static bool
sleep_unless_over(const Ends *ends, const sigset_t *unblocked)
{
	fd_set readable;

	FD_ZERO(&readable);
	FD_SET(ends->leash, &readable);
	return pselect(ends->leash + 1, &readable, NULL, NULL, NULL, unblocked) > 0;
}

/* Ask the group to end, and give it a moment. */
static void
ask_to_end(pid_t shell)
{
	struct timespec moment = {.tv_nsec = GRACE_STEP_MS * 1000 * 1000};

	(void) kill(-shell, SIGTERM);
	for (int waited = 0; waited < GRACE_MS && !is_over(shell); waited += GRACE_STEP_MS)
		(void) nanosleep(&moment, NULL);
}
