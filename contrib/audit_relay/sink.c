/*-------------------------------------------------------------------------
 * sink.c
 *		A sink: deliver, retry, remember.
 *
 * Invariant: the place on disk never lies behind an alert that was not
 * delivered or written to the dead letters. It is written after some alerts,
 * so that after a crash these come again: at least once.
 *
 * Alerts keep their order: the next one waits until the one before is
 * delivered or given up. While a sink waits it reads what the database sends,
 * as a session that does not would keep the queue of NOTIFY from being cleared.
 *
 * Locks: the mutex is for the status alone; nothing is waited for under it.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feed.h"
#include "file.h"
#include "message.h"
#include "sink.h"
#include "stream.h"
#include "syslog_message.h"
#include "webhook.h"

/* How often to look without being notified. */
#define LOOK_MS 5000

/* The database is tried again after such a time at most. */
#define CONNECT_MAX_MS 15000

/* The pause doubles so many times at most. */
#define MAX_DOUBLINGS 20

#define HOST_MAX 256

struct AtSink
{
	const AtConfig *config;
	const AtSinkConfig *own;
	pthread_t thread;
	int stop_pipe[2];
	atomic_bool stopping;
	unsigned seed;

	/* of the thread */
	AtFeed *feed;
	AtWebhook *webhook;
	AtStream *stream;
	AtPlace place;
	AtPlace place_on_disk;
	bool has_place;
	char host[HOST_MAX];

	pthread_mutex_t lock; /* of what follows */
	AtSinkStatus status;
};

/* The sink of this thread, for the callback of the webhook. */
static _Thread_local AtSink *self;

static void *run(void *arg);
static bool connect_feed(AtSink *sink);
static bool find_place(AtSink *sink, char reason[AT_REASON_MAX]);
static bool load_place(AtSink *sink);
static bool save_place(AtSink *sink);
static bool deliver_some(AtSink *sink);
static bool deliver(AtSink *sink, const AtAlert *alert);
static AtOutcome attempt(AtSink *sink, const AtAlert *alert, char reason[AT_REASON_MAX]);
static AtOutcome attempt_syslog(AtSink *sink, const AtAlert *alert, char reason[AT_REASON_MAX]);
static bool bury(AtSink *sink, const AtAlert *alert, int attempts, const char *reason);
static void note_success(AtSink *sink, const AtAlert *alert, int attempts);
static void note_failure(AtSink *sink, const AtAlert *alert, const char *reason);
static void note_connected(AtSink *sink, bool is_connected, const char *reason);
static void pause_for(AtSink *sink, int64_t ms);
static int64_t pause_ms(AtSink *sink, int failures);
static bool is_stopping(void);

AtSink *
at_sink_start(const AtConfig *config, const AtSinkConfig *own)
{
	AtSink *sink = calloc(1, sizeof(AtSink));

	if (sink == NULL)
		return NULL;
	sink->config = config;
	sink->own = own;
	sink->seed = (unsigned) time(NULL) ^ (unsigned) getpid() ^ (unsigned) (size_t) sink;
	if (gethostname(sink->host, sizeof(sink->host) - 1) != 0)
		sink->host[0] = '\0';
	if (own->host_name[0] != '\0')
		(void) snprintf(sink->host, sizeof(sink->host), "%.255s", own->host_name);
	if (pipe(sink->stop_pipe) != 0)
	{
		free(sink);
		return NULL;
	}
	(void) pthread_mutex_init(&sink->lock, NULL);
	if (pthread_create(&sink->thread, NULL, run, sink) == 0)
		return sink;
	close(sink->stop_pipe[0]);
	close(sink->stop_pipe[1]);
	(void) pthread_mutex_destroy(&sink->lock);
	free(sink);
	return NULL;
}

void
at_sink_stop(AtSink *sink)
{
	atomic_store(&sink->stopping, true);
	(void) !write(sink->stop_pipe[1], "", 1);
}

void
at_sink_join(AtSink *sink)
{
	(void) pthread_join(sink->thread, NULL);
	close(sink->stop_pipe[0]);
	close(sink->stop_pipe[1]);
	(void) pthread_mutex_destroy(&sink->lock);
	free(sink);
}

void
at_sink_status(AtSink *sink, AtSinkStatus *status)
{
	(void) pthread_mutex_lock(&sink->lock);
	*status = sink->status;
	(void) pthread_mutex_unlock(&sink->lock);
}

static void *
run(void *arg)
{
	AtSink *sink = arg;
	int failures = 0;

	self = sink;
	sink->has_place = load_place(sink);
	while (!is_stopping())
	{
		if (!connect_feed(sink))
		{
			int64_t pause = pause_ms(sink, ++failures);

			pause_for(sink, pause < CONNECT_MAX_MS ? pause : CONNECT_MAX_MS);
			continue;
		}
		failures = 0;
		while (!is_stopping() && deliver_some(sink))
			;
		at_feed_close(sink->feed);
		sink->feed = NULL;
	}
	if (sink->webhook != NULL)
		at_webhook_close(sink->webhook);
	if (sink->stream != NULL)
		at_stream_close(sink->stream);
	return NULL;
}

/* LISTEN comes first, then the place, then what is behind it. */
static bool
connect_feed(AtSink *sink)
{
	char reason[AT_REASON_MAX] = "";

	sink->feed =
		at_feed_open(sink->config->conninfo, sink->own->channel, sink->config->source, reason);
	if (sink->feed != NULL && find_place(sink, reason))
	{
		note_connected(sink, true, "");
		return true;
	}
	if (sink->feed != NULL)
		at_feed_close(sink->feed);
	sink->feed = NULL;
	note_connected(sink, false, reason);
	return false;
}

static bool
find_place(AtSink *sink, char reason[AT_REASON_MAX])
{
	bool was_set_back;

	if (!sink->has_place && !sink->own->from_begin &&
		!at_feed_end(sink->feed, &sink->place, reason))
		return false;
	if (!sink->has_place && !save_place(sink))
	{
		(void) snprintf(reason, AT_REASON_MAX, "could not write to \"%.200s\"",
						sink->config->state);
		return false;
	}
	sink->has_place = true;
	if (!at_feed_find(sink->feed, &sink->place, &was_set_back, reason))
		return false;
	if (was_set_back)
		at_say("sink \"%s\": the database has been set back, or is another one: going on after "
			   "delivery %lld",
			   sink->own->name, (long long) sink->place.delivery_id);
	return true;
}

/* ---- the place ---- */

static bool
load_place(AtSink *sink)
{
	char path[PATH_MAX];
	char text[128];
	char *end;

	(void) snprintf(path, sizeof(path), "%s/%s.place", sink->config->state, sink->own->name);
	if (!at_file_read(path, text, sizeof(text) - 1))
	{
		if (errno != ENOENT)
			at_die(AT_EXIT_FAILURE, "could not read \"%s\": %s", path, strerror(errno));
		return false;
	}
	sink->place.delivery_id = strtoll(text, &end, 10);
	if (*end != ' ' || strchr(end, '\n') == NULL || strlen(end) >= sizeof(sink->place.told_at))
		at_die(AT_EXIT_FAILURE, "no place is in \"%s\"", path);
	*strchr(end, '\n') = '\0';
	(void) snprintf(sink->place.told_at, sizeof(sink->place.told_at), "%s", end + 1);
	sink->place_on_disk = sink->place;
	return true;
}

static bool
save_place(AtSink *sink)
{
	char name[AT_NAME_MAX + 8];
	char text[128];

	if (sink->has_place && sink->place.delivery_id == sink->place_on_disk.delivery_id)
		return true;
	(void) snprintf(name, sizeof(name), "%s.place", sink->own->name);
	(void) snprintf(text, sizeof(text), "%lld %s\n", (long long) sink->place.delivery_id,
					sink->place.told_at);
	if (!at_file_replace(sink->config->state, name, text))
	{
		at_say("sink \"%s\": could not save its place: %s", sink->own->name, strerror(errno));
		return false;
	}
	sink->place_on_disk = sink->place;
	return true;
}

/* ---- delivery ---- */

/* Deliver what there is, then wait for more; false if the connection is gone. */
static bool
deliver_some(AtSink *sink)
{
	char reason[AT_REASON_MAX] = "";
	int count = at_feed_read(sink->feed, &sink->place, reason);

	for (int i = 0; i < count; i++)
	{
		AtAlert alert;

		at_feed_get(sink->feed, i, &alert);
		if (!deliver(sink, &alert))
			break;
		sink->place.delivery_id = alert.delivery_id;
		(void) snprintf(sink->place.told_at, sizeof(sink->place.told_at), "%s", alert.told_time);
	}
	if (!save_place(sink))
		pause_for(sink, 1000);
	if (count == 0 && !at_feed_wait(sink->feed, sink->stop_pipe[0], LOOK_MS, reason))
		count = -1;
	if (count < 0)
		note_connected(sink, false, reason);
	return count >= 0;
}

/* Until it is delivered or given up; false if it is to be tried again another time. */
static bool
deliver(AtSink *sink, const AtAlert *alert)
{
	(void) pthread_mutex_lock(&sink->lock);
	sink->status.waiting_since = alert->told_at;
	(void) pthread_mutex_unlock(&sink->lock);

	for (int attempts = 1; !is_stopping(); attempts++)
	{
		char reason[AT_REASON_MAX] = "";
		AtOutcome outcome = attempt(sink, alert, reason);

		if (outcome == AT_DELIVERED)
		{
			note_success(sink, alert, attempts);
			return true;
		}
		if (is_stopping())
			return false;
		note_failure(sink, alert, reason);
		if (outcome == AT_REFUSED || time(NULL) - alert->told_at > sink->own->give_up_after)
			return bury(sink, alert, attempts, reason);
		(void) save_place(sink);
		pause_for(sink, pause_ms(sink, attempts));
	}
	return false;
}

static AtOutcome
attempt(AtSink *sink, const AtAlert *alert, char reason[AT_REASON_MAX])
{
	if (sink->own->type == AT_SINK_SYSLOG)
		return attempt_syslog(sink, alert, reason);
	if (sink->own->type == AT_SINK_FILE)
	{
		if (at_file_append(sink->own->path, alert->json))
			return AT_DELIVERED;
		(void) snprintf(reason, AT_REASON_MAX, "could not append: %s", strerror(errno));
		return AT_TRY_AGAIN;
	}
	if (sink->webhook == NULL)
		sink->webhook = at_webhook_open(sink->own, is_stopping, reason);
	if (sink->webhook == NULL)
		return AT_TRY_AGAIN;
	return at_webhook_deliver(sink->webhook, alert, reason);
}

static AtOutcome
attempt_syslog(AtSink *sink, const AtAlert *alert, char reason[AT_REASON_MAX])
{
	char message[AT_SYSLOG_MAX + 16];
	size_t len = at_syslog_write(message + 16, sink->own, sink->host, alert);
	char frame[16] = "";
	int head = 0;

	if (sink->stream == NULL)
		sink->stream =
			at_stream_open(sink->own->address, sink->own->ca_file, sink->own->timeout, reason);
	if (sink->stream == NULL)
		return AT_TRY_AGAIN;
	if (at_stream_is_framed(sink->stream))
		head = snprintf(frame, sizeof(frame), "%zu ", len);
	memcpy(message + 16 - head, frame, (size_t) head);
	if (at_stream_send(sink->stream, message + 16 - head, len + (size_t) head, reason))
		return AT_DELIVERED;
	at_stream_close(sink->stream);
	sink->stream = NULL;
	return AT_TRY_AGAIN;
}

/* What a line of ours has of a reason, which comes from elsewhere. */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = ' ';
}

/*
 * Write it to the dead letters, and say so in the database. The file comes first: with it
 * nothing is lost, whatever becomes of the rest.
 */
static bool
bury(AtSink *sink, const AtAlert *alert, int attempts, const char *reason)
{
	char path[PATH_MAX];
	char why[AT_REASON_MAX];
	char failure[AT_REASON_MAX] = "";
	size_t max = strlen(alert->json) + sizeof(why) + 200;
	char *line = malloc(max);
	bool done = line != NULL;

	(void) snprintf(why, sizeof(why), "%s", reason);
	clean(why);
	(void) snprintf(path, sizeof(path), "%s/%s.dead", sink->config->state, sink->own->name);
	if (done)
		(void) snprintf(
			line, max,
			"{\"sink\":\"%s\",\"given_up_at\":%lld,\"attempts\":%d,\"reason\":\"%s\",\"event\":%s}",
			sink->own->name, (long long) time(NULL), attempts, why, alert->json);
	done = done && at_file_append(path, line);
	free(line);
	if (!done)
	{
		at_say("sink \"%s\": could not write to its dead letters: %s", sink->own->name,
			   strerror(errno));
		pause_for(sink, 1000);
		return false;
	}
	at_say("sink \"%s\": alert %lld is a dead letter: %s", sink->own->name,
		   (long long) alert->alert_id, why);
	if (!at_feed_report(sink->feed, alert, sink->own->name, false, attempts, why, failure))
		at_say("sink \"%s\": could not report that: %s", sink->own->name, failure);
	(void) pthread_mutex_lock(&sink->lock);
	sink->status.dead_letters++;
	sink->status.delivery_id = alert->delivery_id;
	sink->status.waiting_since = 0;
	(void) pthread_mutex_unlock(&sink->lock);
	return true;
}

/* ---- how it goes ---- */

/* One that was told before may be in the dead letters of the database. */
static void
note_success(AtSink *sink, const AtAlert *alert, int attempts)
{
	char failure[AT_REASON_MAX] = "";
	bool was_failing;

	(void) pthread_mutex_lock(&sink->lock);
	was_failing = sink->status.in_a_row > 0;
	sink->status.delivered++;
	sink->status.in_a_row = 0;
	sink->status.delivery_id = alert->delivery_id;
	sink->status.waiting_since = 0;
	sink->status.last_delivery = time(NULL);
	sink->status.error[0] = '\0';
	(void) pthread_mutex_unlock(&sink->lock);
	if (was_failing)
		at_say("sink \"%s\" delivers again", sink->own->name);
	if (alert->attempt > 1 &&
		!at_feed_report(sink->feed, alert, sink->own->name, true, attempts, NULL, failure))
		at_say("sink \"%s\": could not report a delivery: %s", sink->own->name, failure);
}

static void
note_failure(AtSink *sink, const AtAlert *alert, const char *reason)
{
	bool is_first;

	(void) pthread_mutex_lock(&sink->lock);
	is_first = sink->status.in_a_row++ == 0;
	sink->status.failures++;
	(void) snprintf(sink->status.error, sizeof(sink->status.error), "%s", reason);
	clean(sink->status.error);
	(void) pthread_mutex_unlock(&sink->lock);
	if (is_first)
		at_say("sink \"%s\": alert %lld was not delivered, trying again: %s", sink->own->name,
			   (long long) alert->alert_id, reason);
}

static void
note_connected(AtSink *sink, bool is_connected, const char *reason)
{
	bool changed;

	(void) pthread_mutex_lock(&sink->lock);
	changed = sink->status.is_connected != is_connected ||
			  (!is_connected && sink->status.error[0] == '\0');
	sink->status.is_connected = is_connected;
	sink->status.delivery_id = sink->place.delivery_id;
	(void) snprintf(sink->status.error, sizeof(sink->status.error), "%s", reason);
	clean(sink->status.error);
	(void) pthread_mutex_unlock(&sink->lock);
	if (changed)
		at_say("sink \"%s\": %s%s", sink->own->name,
			   is_connected ? "connected to the database" : "no database: ", reason);
}

/* ---- time ---- */

static int64_t
now_ms(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Twice as long each time, and somewhere in its second half: sinks that failed together part. */
static int64_t
pause_ms(AtSink *sink, int failures)
{
	int doublings = failures - 1 < MAX_DOUBLINGS ? failures - 1 : MAX_DOUBLINGS;
	int64_t pause = (int64_t) sink->own->retry_first << doublings;
	int64_t max = (int64_t) sink->own->retry_max * 1000;

	if (pause > max)
		pause = max;
	return pause / 2 + rand_r(&sink->seed) % (pause / 2 + 1);
}

/* Meanwhile take what the database sends. */
static void
pause_for(AtSink *sink, int64_t ms)
{
	struct pollfd stop = {.fd = sink->stop_pipe[0], .events = POLLIN};
	int64_t until = now_ms() + ms;
	char reason[AT_REASON_MAX];
	bool has_feed = sink->feed != NULL;

	for (int64_t left = ms; left > 0 && !is_stopping(); left = until - now_ms())
	{
		if (has_feed)
			has_feed = at_feed_wait(sink->feed, sink->stop_pipe[0], (int) left, reason);
		else
			(void) poll(&stop, 1, (int) left);
	}
}

static bool
is_stopping(void)
{
	return atomic_load(&self->stopping);
}
