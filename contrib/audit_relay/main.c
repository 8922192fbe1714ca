/*-------------------------------------------------------------------------
 * main.c
 *		audit_relay: brings alerts of an audit_trail database to webhooks,
 *		syslog and files.
 *
 * The main thread has the signals and the health page; each sink is a thread.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "config.h"
#include "file.h"
#include "health.h"
#include "message.h"
#include "sink.h"

#define CONFIG_DEFAULT "/etc/audit_relay.conf"

static const char help[] =
	"audit_relay brings alerts of an audit_trail database to webhooks, syslog and files.\n"
	"\n"
	"Usage:\n"
	"  audit_relay [--config=FILE] [--check]\n"
	"\n"
	"  -c, --config=FILE   the configuration (default: " CONFIG_DEFAULT ")\n"
	"  -n, --check         read it and say what is wrong, then exit\n"
	"  -V, --version       print the version, then exit\n"
	"  -?, --help          print this, then exit\n"
	"\n"
	"It stays in the foreground. SIGHUP has it read its configuration again, SIGTERM ends it.\n";

/* What runs. */
typedef struct Relay
{
	AtConfig *config;
	AtSink *sinks[AT_SINKS_MAX];
	int listener; /* -1: none */
} Relay;

static int signal_pipe[2];

static void serve(Relay *relay, const char *path);
static void start(Relay *relay);
static void stop(Relay *relay);
static void reload(Relay *relay, const char *path);
static AtConfig *read_config(const char *path);
static void catch_signals(void);
static void take_signal(int number);

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"check", no_argument, NULL, 'n'},
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, '?'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	const char *path = CONFIG_DEFAULT;
	bool only_check = false;
	Relay relay = {.listener = -1};
	int option;

	while ((option = getopt_long(argc, argv, "c:nV?", options, NULL)) != -1)
	{
		if (option == 'c')
			path = optarg;
		else if (option == 'n')
			only_check = true;
		else if (option == 'V')
		{
			puts("audit_relay " AT_VERSION);
			return 0;
		}
		else if (optopt == 0 || optopt == '?')
		{
			fputs(help, stdout);
			return 0;
		}
		else
			return AT_EXIT_USAGE;
	}
	if (optind < argc)
		at_die(AT_EXIT_USAGE, "too many arguments");
	relay.config = read_config(path);
	if (relay.config == NULL)
		return AT_EXIT_USAGE;
	if (!only_check)
		serve(&relay, path);
	free(relay.config);
	return 0;
}

static void
serve(Relay *relay, const char *path)
{
	char lock[AT_VALUE_MAX + 8];

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		at_die(AT_EXIT_FAILURE, "libcurl does not start");
	if (!at_file_make_directory(relay->config->state))
		at_die(AT_EXIT_FAILURE, "could not make \"%s\": %s", relay->config->state, strerror(errno));
	(void) snprintf(lock, sizeof(lock), "%s/lock", relay->config->state);
	if (!at_file_hold(lock))
		at_die(AT_EXIT_FAILURE, "\"%s\" belongs to another audit_relay, or cannot be written",
			   relay->config->state);
	catch_signals();
	start(relay);
	for (;;)
	{
		struct pollfd wait[] = {{.fd = signal_pipe[0], .events = POLLIN},
								{.fd = relay->listener, .events = POLLIN}};
		char number;

		if (poll(wait, 2, -1) < 0)
			continue;
		if (read(signal_pipe[0], &number, 1) == 1)
		{
			if (number != SIGHUP)
				break;
			reload(relay, path);
		}
		else if ((wait[1].revents & POLLIN) != 0)
			at_health_answer(relay->listener, relay->config, relay->sinks);
	}
	stop(relay);
	at_say("ended");
}

/* Threads get no signals. */
static void
start(Relay *relay)
{
	sigset_t all;
	sigset_t former;

	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &former);
	for (int i = 0; i < relay->config->nsinks; i++)
	{
		relay->sinks[i] = at_sink_start(relay->config, &relay->config->sink[i]);
		if (relay->sinks[i] == NULL)
			at_die(AT_EXIT_FAILURE, "could not start sink \"%s\"", relay->config->sink[i].name);
	}
	(void) pthread_sigmask(SIG_SETMASK, &former, NULL);
	relay->listener = -1;
	if (relay->config->health[0] != '\0')
		relay->listener = at_health_listen(relay->config->health);
}

static void
stop(Relay *relay)
{
	for (int i = 0; i < relay->config->nsinks; i++)
		at_sink_stop(relay->sinks[i]);
	for (int i = 0; i < relay->config->nsinks; i++)
		at_sink_join(relay->sinks[i]);
	if (relay->listener >= 0)
		close(relay->listener);
}

/* With a configuration that is wrong it goes on as before. */
static void
reload(Relay *relay, const char *path)
{
	AtConfig *config = read_config(path);

	if (config != NULL && strcmp(config->state, relay->config->state) != 0)
	{
		at_say("another state needs another start");
		free(config);
		config = NULL;
	}
	if (config == NULL)
	{
		at_say("the configuration stays as it was");
		return;
	}
	stop(relay);
	free(relay->config);
	relay->config = config;
	start(relay);
	at_say("the configuration was read again");
}

/* NULL, and an error was said, if it is wrong. */
static AtConfig *
read_config(const char *path)
{
	AtConfig *config = malloc(sizeof(AtConfig));

	if (config != NULL && !at_config_read(config, path))
	{
		free(config);
		config = NULL;
	}
	return config;
}

static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = take_signal};
	static const int caught[] = {SIGHUP, SIGINT, SIGTERM};

	if (pipe(signal_pipe) != 0)
		at_die(AT_EXIT_FAILURE, "could not make a pipe: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
	{
		(void) fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
		(void) fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
	}
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		(void) sigaction(caught[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	(void) sigaction(SIGPIPE, &action, NULL);
}

static void
take_signal(int number)
{
	char byte = (char) number;
	int error = errno;

	(void) !write(signal_pipe[1], &byte, 1);
	errno = error;
}
