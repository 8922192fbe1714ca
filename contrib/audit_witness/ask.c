/*-------------------------------------------------------------------------
 * ask.c
 *		Asking witnesses to cosign a checkpoint.
 *
 * A witness that has this checkpoint already, as after a crash on our side,
 * is asked again without a proof. One that has an older checkpoint than the
 * proof begins with needs another proof, which only the log can make. One
 * that has a newer one has seen what this log has lost: that is what
 * witnesses are for.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "ask.h"
#include "core/checkpoint.h"
#include "core/cosignature.h"
#include "core/note.h"
#include "core/tlog_request.h"
#include "file.h"
#include "http.h"
#include "message.h"

#define MESSAGE_MAX (AT_HTTP_HEAD_MAX + AT_HTTP_BODY_MAX)

typedef enum Outcome
{
	COSIGNED,
	REFUSED,
	NEEDS_PROOF
} Outcome;

/* What is asked for, and what has come of it. */
typedef struct Question
{
	const AtAsk *ask;
	AtTlogRequest request;
	AtNote note;
	AtCheckpoint checkpoint;

	char cosignatures[AT_NOTE_MAX_SIGNATURES * AT_SIGNATURE_LINE_MAX];
	AtWriter lines;
	bool has_key[AT_WITNESSES_MAX]; /* that has cosigned */
	uint64_t wanted_size;           /* with NEEDS_PROOF */
} Question;

static void read_question(Question *question, char *buffer, size_t size);
static Outcome ask_one(Question *question, const char *address);
static bool post(const Question *question, const char *address, const AtTlogRequest *request,
				 char *buffer, AtHttpResponse *response);
static bool exchange(int fd, const char *address, AtText message, char *buffer,
					 AtHttpResponse *response);
static Outcome take_conflict(Question *question, const char *address, AtText body);
static bool take_cosignatures(Question *question, const char *address, AtText body);
static int count_cosigned(const Question *question);

int
at_ask(const AtAsk *ask)
{
	static Question question;
	static char text[AT_HTTP_BODY_MAX];
	int wanted = ask->quorum >= 0 ? ask->quorum : ask->address_count;
	bool needs_proof = false;

	question.ask = ask;
	question.lines = at_writer(question.cosignatures, sizeof(question.cosignatures));
	read_question(&question, text, sizeof(text));
	for (int i = 0; i < ask->address_count; i++)
		if (ask_one(&question, ask->address[i]) == NEEDS_PROOF)
			needs_proof = true;

	if (count_cosigned(&question) >= wanted)
	{
		printf("%.*s", (int) question.lines.len, question.lines.data);
		return fflush(stdout) == 0 ? 0 : AT_EXIT_REFUSED;
	}
	if (needs_proof)
	{
		printf("old %" PRIu64 "\n", question.wanted_size);
		return AT_EXIT_AGAIN;
	}
	at_say("%d of %d witnesses have cosigned, and %d are needed", count_cosigned(&question),
		   ask->address_count, wanted);
	return AT_EXIT_REFUSED;
}

static void
read_question(Question *question, char *buffer, size_t size)
{
	const char *path = question->ask->request;
	size_t len;
	AtError error;

	if (!at_read_file(path, buffer, size, &len))
		at_die(AT_EXIT_REFUSED, "could not read \"%s\": %s", path, strerror(errno));
	error = at_tlog_request_read(&question->request, (AtText){buffer, len});
	if (error == AT_OK)
		error = at_note_read(&question->note, question->request.checkpoint);
	if (error == AT_OK)
		error = at_checkpoint_read(&question->checkpoint, question->note.text);
	if (error != AT_OK)
		at_die(AT_EXIT_REFUSED, "\"%s\" is not a request to a witness: %s", path,
			   at_error_text(error));
}

/* At most twice: the second time with the size that it says it has. */
static Outcome
ask_one(Question *question, const char *address)
{
	static char buffer[MESSAGE_MAX];
	AtTlogRequest request = question->request;
	AtHttpResponse response;
	Outcome outcome;

	for (int attempt = 0;; attempt++)
	{
		if (!post(question, address, &request, buffer, &response))
			return REFUSED;
		if (response.status == AT_HTTP_OK)
			return take_cosignatures(question, address, response.body) ? COSIGNED : REFUSED;
		if (response.status != AT_HTTP_CONFLICT)
		{
			at_say("\"%s\" refuses the checkpoint with status %d: %.*s", address, response.status,
				   (int) (response.body.len < 200 ? response.body.len : 200), response.body.data);
			return REFUSED;
		}
		outcome = take_conflict(question, address, response.body);
		if (outcome != COSIGNED)
			return outcome;
		if (attempt > 0 || request.old_size == question->checkpoint.size)
		{
			at_say("\"%s\" has cosigned another checkpoint of size %" PRIu64
				   ": the log has two histories",
				   address, question->checkpoint.size);
			return REFUSED;
		}
		request.old_size = question->checkpoint.size;
		request.proof.count = 0;
	}
}

/* COSIGNED: it has this size already, so that it can be asked without a proof. */
static Outcome
take_conflict(Question *question, const char *address, AtText body)
{
	AtText line;
	uint64_t size;

	if (!at_text_line(&body, &line) || !at_text_decimal(line, &size))
	{
		at_say("\"%s\" does not say which size it has", address);
		return REFUSED;
	}
	if (size > question->checkpoint.size)
	{
		at_say("\"%s\" has cosigned this log at size %" PRIu64 ", and now it has %" PRIu64
			   ": it was set back",
			   address, size, question->checkpoint.size);
		return REFUSED;
	}
	if (size == question->checkpoint.size)
		return COSIGNED;
	question->wanted_size = size;
	return NEEDS_PROOF;
}

static bool
post(const Question *question, const char *address, const AtTlogRequest *request, char *buffer,
	 AtHttpResponse *response)
{
	static char body[AT_HTTP_BODY_MAX];
	static char message[MESSAGE_MAX];
	AtWriter body_writer = at_writer(body, sizeof(body));
	AtWriter writer = at_writer(message, sizeof(message));
	AtHttpRequest http = {.method = at_text("POST"), .path = at_text("/add-checkpoint")};
	bool done;
	int fd;

	if (at_tlog_request_write(&body_writer, request) != AT_OK)
		at_die(AT_EXIT_REFUSED, "the request is too long");
	http.body = (AtText){body_writer.data, body_writer.len};
	at_http_write_request(&writer, &http);
	fd = at_connect(address, question->ask->timeout);
	if (fd < 0)
		return false;
	done = exchange(fd, address, (AtText){writer.data, writer.len}, buffer, response);
	close(fd);
	return done;
}

static bool
exchange(int fd, const char *address, AtText message, char *buffer, AtHttpResponse *response)
{
	size_t len = 0;
	ssize_t more = 1;
	int status = AT_HTTP_MORE;

	while (message.len > 0)
	{
		ssize_t sent = send(fd, message.data, message.len, MSG_NOSIGNAL);

		if (sent <= 0)
			break; /* it may have answered all the same */
		message.data += sent;
		message.len -= sent;
	}
	while (status == AT_HTTP_MORE && more > 0 && len < MESSAGE_MAX)
	{
		more = read(fd, buffer + len, MESSAGE_MAX - len);
		if (more > 0)
			len += more;
		status = at_http_read_response(response, (AtText){buffer, len}, more == 0);
	}
	if (status != AT_HTTP_OK)
		at_say("no answer from \"%s\": %s", address,
			   more < 0 ? strerror(errno) : "what came is no response of HTTP");
	return status == AT_HTTP_OK;
}

/* All lines are kept of which one is by a key that was named, and each of those keys once. */
static bool
take_cosignatures(Question *question, const char *address, AtText body)
{
	static char bytes[AT_CHECKPOINT_TEXT_MAX + 1 + AT_HTTP_BODY_MAX];
	AtWriter writer = at_writer(bytes, sizeof(bytes));
	AtNote note;
	uint64_t when;
	bool any = false;

	at_write(&writer, question->note.text);
	at_write_string(&writer, "\n");
	at_write(&writer, body);
	if (body.len > 0 && at_note_read(&note, (AtText){writer.data, writer.len}) == AT_OK)
	{
		for (int i = 0; i < question->ask->key_count; i++)
			if (at_cosignature_verify(&note, &question->ask->key[i], &when) == AT_OK)
			{
				any |= !question->has_key[i];
				question->has_key[i] = true;
			}
	}
	if (!any)
		at_say("\"%s\" answers without a cosignature by a key that was named", address);
	else
		at_write(&question->lines, body);
	return any && at_writer_error(&question->lines) == AT_OK;
}

static int
count_cosigned(const Question *question)
{
	int count = 0;

	for (int i = 0; i < question->ask->key_count; i++)
		count += question->has_key[i];
	return count;
}
