/*-------------------------------------------------------------------------
 * test_http.c
 *		Requests and responses: whole, in pieces, and hostile.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "http.h"

static int count;
static int failed;

static void
check(bool condition, const char *name)
{
	count++;
	failed += !condition;
	printf("%sok %d - %s\n", condition ? "" : "not ", count, name);
}

/* In a buffer of its own length, so that a sanitizer sees a byte read past the end. */
static int
request_of(const char *bytes, size_t len, AtHttpRequest *request)
{
	static char *copy = NULL;

	free(copy);
	copy = malloc(len > 0 ? len : 1);
	if (copy == NULL)
		abort();
	memcpy(copy, bytes, len);
	return at_http_read_request(request, (AtText){copy, len});
}

static void
test_requests(void)
{
	static const struct
	{
		int status;
		const char *bytes;
		const char *name;
	} cases[] = {
		{AT_HTTP_OK, "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "a request"},
		{AT_HTTP_OK, "POST /a HTTP/1.0\r\nHost: x\r\ncOnTeNt-LeNgTh:\t3 \r\n\r\nabcdef",
		 "names in any case"},
		{AT_HTTP_OK, "GET / HTTP/1.1\r\n\r\n", "one without a body"},
		{AT_HTTP_OK, "POST /a HTTP/1.1\r\nContent-Length: 0\r\nX:\r\n\r\n", "an empty body"},
		{AT_HTTP_MORE, "", "nothing yet"},
		{AT_HTTP_MORE, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc",
		 "a body that is not whole"},
		{AT_HTTP_MORE, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n", "a head that is not whole"},
		{AT_HTTP_LENGTH, "POST /a HTTP/1.1\r\n\r\n", "no length"},
		{AT_HTTP_LENGTH, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "chunks"},
		{AT_HTTP_LENGTH,
		 "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
		 "chunks and a length"},
		{AT_HTTP_TOO_LARGE, "POST /a HTTP/1.1\r\nContent-Length: 32769\r\n\r\n",
		 "a body that is too large"},
		{AT_HTTP_TOO_LARGE, "POST /a HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
		 "or much too large"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
		 "a length of more than 64 bits"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		 "a negative length"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nContent-Length: 03\r\n\r\nabc",
		 "a leading zero"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nContent-Length: 3,3\r\n\r\nabc",
		 "two lengths in one"},
		{AT_HTTP_BAD_REQUEST,
		 "POST /a HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "two lengths"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc",
		 "a space before the colon"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nX: a\r\n Content-Length: 3\r\n\r\nabc",
		 "a folded header"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nX\r\n\r\n", "a header without a colon"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\n: x\r\n\r\n", "one without a name"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\nContent-Length: 3\r\n\r\nabc",
		 "a line end without CR"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1\r\nX: a\rb\r\n\r\n", "a CR within a line"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/2.0\r\n\r\n", "another version"},
		{AT_HTTP_BAD_REQUEST, "POST /a HTTP/1.1 x\r\n\r\n", "more than a version"},
		{AT_HTTP_BAD_REQUEST, "POST  /a HTTP/1.1\r\n\r\n", "two spaces"},
		{AT_HTTP_BAD_REQUEST, "POST\r\n\r\n", "a method alone"},
		{AT_HTTP_BAD_REQUEST, "\r\n\r\n", "an empty line"},
		{AT_HTTP_BAD_REQUEST, " /a HTTP/1.1\r\n\r\n", "no method"},
	};
	AtHttpRequest request;
	int status;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(request_of(cases[i].bytes, strlen(cases[i].bytes), &request) == cases[i].status,
			  cases[i].name);
	status = request_of(cases[0].bytes, strlen(cases[0].bytes), &request);
	check(status == AT_HTTP_OK && at_text_equal(request.method, at_text("POST")) &&
			  at_text_equal(request.path, at_text("/a")) &&
			  at_text_equal(request.body, at_text("abc")),
		  "its parts");
	for (size_t len = 0; len < strlen(cases[0].bytes); len++)
		if (request_of(cases[0].bytes, len, &request) != AT_HTTP_MORE)
			status = -1;
	check(status == AT_HTTP_OK, "every beginning of it needs more");
}

static void
test_limits(void)
{
	size_t max = AT_HTTP_HEAD_MAX + 100;
	char *bytes = malloc(max);
	AtHttpRequest request;

	if (bytes == NULL)
		abort();
	memset(bytes, 'a', max);
	check(request_of(bytes, AT_HTTP_HEAD_MAX, &request) == AT_HTTP_MORE, "a long head may go on");
	check(request_of(bytes, max, &request) == AT_HTTP_TOO_LARGE, "up to an end");
	memcpy(bytes, "GET / HTTP/1.1\r\nX: ", 19);
	bytes[50] = '\0';
	memcpy(bytes + 60, "\r\n\r\n", 4);
	check(request_of(bytes, max, &request) == AT_HTTP_BAD_REQUEST, "a zero byte is refused");
	free(bytes);
}

static void
test_responses(void)
{
	static const struct
	{
		int status;
		bool is_end;
		const char *bytes;
		const char *name;
	} cases[] = {
		{AT_HTTP_OK, false, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "a response"},
		{AT_HTTP_OK, false, "HTTP/1.1 409\r\nContent-Length: 3\r\n\r\nabc", "one without a phrase"},
		{AT_HTTP_OK, true, "HTTP/1.0 200 OK\r\n\r\nabc", "one that ends with the connection"},
		{AT_HTTP_MORE, false, "HTTP/1.0 200 OK\r\n\r\nabc", "as long as that goes on"},
		{AT_HTTP_MORE, false, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
		 "a body that is not whole"},
		{AT_HTTP_BAD_REQUEST, true, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
		 "nor ever will be"},
		{AT_HTTP_BAD_REQUEST, true, "HTTP/1.1 200 OK\r\n", "a head that is cut off"},
		{AT_HTTP_BAD_REQUEST, true, "", "nothing at all"},
		{AT_HTTP_BAD_REQUEST, false, "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
		 "a status of two digits"},
		{AT_HTTP_BAD_REQUEST, false, "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", "of four"},
		{AT_HTTP_BAD_REQUEST, false, "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
		 "with a leading zero"},
		{AT_HTTP_BAD_REQUEST, false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "chunks"},
		{AT_HTTP_BAD_REQUEST, false, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
		 "a body that is too large"},
		{AT_HTTP_BAD_REQUEST, false, "SSH-2.0-OpenSSH\r\n\r\n", "another protocol"},
	};
	AtHttpResponse response;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(at_http_read_response(&response, at_text(cases[i].bytes), cases[i].is_end) ==
				  cases[i].status,
			  cases[i].name);
	check(at_http_read_response(&response, at_text(cases[1].bytes), false) == AT_HTTP_OK &&
			  response.status == 409 && at_text_equal(response.body, at_text("abc")),
		  "its parts");
}

static void
test_writing(void)
{
	char buffer[500];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtHttpRequest request = {at_text("POST"), at_text("/add-checkpoint"), at_text("body\n")};
	AtHttpRequest read_back;
	AtHttpResponse response;

	at_http_write_request(&writer, &request);
	check(at_http_read_request(&read_back, (AtText){buffer, writer.len}) == AT_HTTP_OK &&
			  at_text_equal(read_back.path, request.path) &&
			  at_text_equal(read_back.body, request.body),
		  "a request is read back");
	writer = at_writer(buffer, sizeof(buffer));
	at_http_write_response(&writer, AT_HTTP_CONFLICT, "text/x.tlog.size", at_text("7\n"));
	check(at_http_read_response(&response, (AtText){buffer, writer.len}, false) == AT_HTTP_OK &&
			  response.status == 409 && at_text_equal(response.body, at_text("7\n")),
		  "and a response");
}

int
main(void)
{
	test_requests();
	test_limits();
	test_responses();
	test_writing();
	printf("1..%d\n", count);
	return failed > 0;
}
