/*-------------------------------------------------------------------------
 * serve.c
 *		Answering requests, for ever.
 *
 * One process and one thread. A connection has room for one request and some
 * seconds for all of it; so a client that is slow, or says nothing, is in
 * nobody's way, and there is an end to how many there are. What is accepted
 * is on disk before it is answered, one after the other.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "core/cosignature.h"
#include "core/note.h"
#include "message.h"
#include "serve.h"
#include "state.h"

#define CONNECTIONS_MAX 64
#define REQUEST_MS      5000
#define LINGER_MS       1000

#define TEXT_TYPE "text/plain; charset=utf-8"
#define SIZE_TYPE "text/x.tlog.size"

#define ANSWER_MAX (512 + AT_SIGNATURE_LINE_MAX + 128)

typedef struct Connection
{
	int fd; /* -1: free */
	int64_t deadline;

	/* what came; behind the answer it is thrown away */
	char in[AT_HTTP_HEAD_MAX + AT_HTTP_BODY_MAX];
	size_t in_len;

	/* the answer, as soon as there is one */
	char out[ANSWER_MAX];
	size_t out_len;
	size_t out_sent;
} Connection;

static Connection connections[CONNECTIONS_MAX];

static int wait_for_any(const AtWitness *witness, struct pollfd *polled);
static void accept_one(const AtWitness *witness);
static void read_some(AtWitness *witness, Connection *connection);
static void write_some(Connection *connection);
static void answer(AtWitness *witness, Connection *connection, int status,
				   const AtHttpRequest *request);
static int judge(AtWitness *witness, AtText body, AtWriter *lines, const char **type);
static void end(Connection *connection);

void
at_serve(AtWitness *witness)
{
	struct pollfd polled[CONNECTIONS_MAX + 1];

	(void) signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		connections[i].fd = -1;
	for (;;)
	{
		if (wait_for_any(witness, polled) < 0)
			continue;
		for (int i = 0; i < CONNECTIONS_MAX; i++)
		{
			Connection *connection = &connections[i];

			if (connection->fd < 0)
				continue;
			if (at_now_ms() >= connection->deadline)
				end(connection);
			else if (polled[i].revents & (POLLOUT | POLLERR))
				write_some(connection);
			else if (polled[i].revents & (POLLIN | POLLHUP))
				read_some(witness, connection);
		}
		if (polled[CONNECTIONS_MAX].revents & POLLIN)
			accept_one(witness);
	}
}

static bool
has_answer(const Connection *connection)
{
	return connection->out_len > 0;
}

static bool
is_answered(const Connection *connection)
{
	return has_answer(connection) && connection->out_sent == connection->out_len;
}

/* Whoever finds no place waits in the queue of the system. */
static int
wait_for_any(const AtWitness *witness, struct pollfd *polled)
{
	bool has_room = false;
	int64_t now = at_now_ms();
	int64_t wait = -1;

	for (int i = 0; i < CONNECTIONS_MAX; i++)
	{
		const Connection *connection = &connections[i];
		int64_t left = connection->deadline > now ? connection->deadline - now : 0;

		polled[i] = (struct pollfd){.fd = connection->fd, .events = POLLIN};
		if (connection->fd < 0)
			has_room = true;
		else
		{
			if (has_answer(connection) && !is_answered(connection))
				polled[i].events = POLLOUT;
			wait = wait < 0 || left < wait ? left : wait;
		}
	}
	polled[CONNECTIONS_MAX] =
		(struct pollfd){.fd = has_room ? witness->listener : -1, .events = POLLIN};
	return poll(polled, CONNECTIONS_MAX + 1, (int) wait);
}

static void
accept_one(const AtWitness *witness)
{
	int fd = accept(witness->listener, NULL, NULL);

	if (fd < 0)
		return;
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void) fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
	{
		Connection *connection = &connections[i];

		if (connection->fd >= 0)
			continue;
		connection->fd = fd;
		connection->deadline = at_now_ms() + REQUEST_MS;
		connection->in_len = connection->out_len = connection->out_sent = 0;
		return;
	}
	close(fd);
}

static void
read_some(AtWitness *witness, Connection *connection)
{
	AtHttpRequest request = {0};
	ssize_t len;
	int status;

	if (is_answered(connection))
		connection->in_len = 0;
	len = read(connection->fd, connection->in + connection->in_len,
			   sizeof(connection->in) - connection->in_len);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0)
	{
		end(connection);
		return;
	}
	if (is_answered(connection))
		return;
	connection->in_len += len;
	status = at_http_read_request(&request, (AtText){connection->in, connection->in_len});
	if (status == AT_HTTP_MORE && connection->in_len == sizeof(connection->in))
		status = AT_HTTP_TOO_LARGE;
	if (status != AT_HTTP_MORE)
		answer(witness, connection, status, &request);
}

/* Afterwards what still comes is read, lest its arrival wipe the answer out. */
static void
write_some(Connection *connection)
{
	ssize_t len = write(connection->fd, connection->out + connection->out_sent,
						connection->out_len - connection->out_sent);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0)
	{
		end(connection);
		return;
	}
	connection->out_sent += len;
	if (!is_answered(connection))
		return;
	(void) shutdown(connection->fd, SHUT_WR);
	connection->deadline = at_now_ms() + LINGER_MS;
}

static void
answer(AtWitness *witness, Connection *connection, int status, const AtHttpRequest *request)
{
	char body[AT_SIGNATURE_LINE_MAX + 128];
	AtWriter lines = at_writer(body, sizeof(body));
	AtWriter out = at_writer(connection->out, sizeof(connection->out));
	const char *type = TEXT_TYPE;

	if (status == AT_HTTP_OK && !at_text_equal(request->path, at_text("/add-checkpoint")))
		status = AT_HTTP_NOT_FOUND;
	else if (status == AT_HTTP_OK && !at_text_equal(request->method, at_text("POST")))
		status = AT_HTTP_METHOD;
	else if (status == AT_HTTP_OK)
		status = judge(witness, request->body, &lines, &type);
	at_http_write_response(&out, status, type, (AtText){lines.data, lines.len});
	connection->out_len = out.len;
}

/* The status, and the body that belongs to it. */
static int
judge(AtWitness *witness, AtText body, AtWriter *lines, const char **type)
{
	AtJudgement judgement;

	at_judge(&witness->known, body, &judgement);
	if (judgement.is_fork)
	{
		at_say("\"%s\" has signed two roots for size %llu", judgement.log->origin,
			   (unsigned long long) judgement.log->size);
		at_state_keep_fork(witness->directory, &judgement);
	}
	if (judgement.status == AT_HTTP_OK && !at_state_accept(witness->directory, &judgement))
		return AT_HTTP_SERVER_ERROR;
	if (judgement.status == AT_HTTP_OK &&
		at_cosignature_sign(lines, judgement.text, (uint64_t) time(NULL), &witness->key) != AT_OK)
		return AT_HTTP_SERVER_ERROR;
	if (judgement.status == AT_HTTP_CONFLICT)
	{
		*type = SIZE_TYPE;
		at_write_decimal(lines, judgement.log->size);
		at_write_string(lines, "\n");
	}
	else if (judgement.status != AT_HTTP_OK)
	{
		at_write_string(lines, judgement.reason);
		at_write_string(lines, "\n");
	}
	return judgement.status;
}

static void
end(Connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
}
