/*-------------------------------------------------------------------------
 * http.c
 *		As much of HTTP/1.1 as tlog-witness needs.
 *-------------------------------------------------------------------------
 */
#include <strings.h>

#include "http.h"

/* What the head says of the body. */
typedef struct Length
{
	bool is_known;
	bool is_chunked;
	uint64_t bytes;
} Length;

static const struct
{
	AtHttpStatus status;
	const char *phrase;
} phrases[] = {
	{AT_HTTP_OK, "OK"},
	{AT_HTTP_BAD_REQUEST, "Bad Request"},
	{AT_HTTP_FORBIDDEN, "Forbidden"},
	{AT_HTTP_NOT_FOUND, "Not Found"},
	{AT_HTTP_METHOD, "Method Not Allowed"},
	{AT_HTTP_TIMEOUT, "Request Timeout"},
	{AT_HTTP_CONFLICT, "Conflict"},
	{AT_HTTP_LENGTH, "Length Required"},
	{AT_HTTP_TOO_LARGE, "Content Too Large"},
	{AT_HTTP_UNPROCESSABLE, "Unprocessable Content"},
	{AT_HTTP_SERVER_ERROR, "Internal Server Error"},
};

static int cut_head(AtText *bytes, AtText *head);
static bool cut_line(AtText *text, AtText *line);
static bool read_version(AtText *line);
static int read_headers(AtText head, Length *length);
static bool read_header(AtText line, Length *length);
static bool is_name(AtText name, const char *wanted);
static AtText trimmed(AtText text);

int
at_http_read_request(AtHttpRequest *request, AtText bytes)
{
	AtText head;
	AtText line;
	Length length = {0};
	int status = cut_head(&bytes, &head);

	if (status != AT_HTTP_OK)
		return status;
	if (!cut_line(&head, &line) || !at_text_until(&line, ' ', &request->method) ||
		!at_text_until(&line, ' ', &request->path) || request->method.len == 0 ||
		request->path.len == 0 || !read_version(&line) || line.len > 0)
		return AT_HTTP_BAD_REQUEST;
	status = read_headers(head, &length);
	if (status != AT_HTTP_OK)
		return status;
	if (length.is_chunked || (!length.is_known && at_text_equal(request->method, at_text("POST"))))
		return AT_HTTP_LENGTH;
	if (length.bytes > AT_HTTP_BODY_MAX)
		return AT_HTTP_TOO_LARGE;
	if (bytes.len < length.bytes)
		return AT_HTTP_MORE;
	request->body = (AtText){bytes.data, length.bytes};
	return AT_HTTP_OK;
}

int
at_http_read_response(AtHttpResponse *response, AtText bytes, bool is_end)
{
	AtText head;
	AtText line;
	AtText code;
	Length length = {0};
	uint64_t number;
	int status = cut_head(&bytes, &head);

	if (status == AT_HTTP_MORE && !is_end)
		return AT_HTTP_MORE;
	if (status != AT_HTTP_OK || !cut_line(&head, &line) || !read_version(&line) ||
		!at_text_skip(&line, " ") || line.len < 3)
		return AT_HTTP_BAD_REQUEST;
	code = (AtText){line.data, 3};
	if (!at_text_decimal(code, &number) || number < 100 || (line.len > 3 && line.data[3] != ' ') ||
		read_headers(head, &length) != AT_HTTP_OK || length.is_chunked ||
		length.bytes > AT_HTTP_BODY_MAX)
		return AT_HTTP_BAD_REQUEST;
	if (!length.is_known && is_end)
		length.bytes = bytes.len;
	if (bytes.len < length.bytes || (!length.is_known && !is_end))
		return is_end ? AT_HTTP_BAD_REQUEST : AT_HTTP_MORE;
	response->status = (int) number;
	response->body = (AtText){bytes.data, length.bytes};
	return AT_HTTP_OK;
}

/* The head with the line end of its last line; what follows the empty line stays in bytes. */
static int
cut_head(AtText *bytes, AtText *head)
{
	static const char end[] = "\r\n\r\n";
	size_t end_len = sizeof(end) - 1;

	for (size_t i = 0; i + end_len <= bytes->len && i <= AT_HTTP_HEAD_MAX; i++)
	{
		if (memcmp(bytes->data + i, end, end_len) != 0)
			continue;
		*head = (AtText){bytes->data, i + 2};
		bytes->data += i + end_len;
		bytes->len -= i + end_len;
		return AT_HTTP_OK;
	}
	return bytes->len > AT_HTTP_HEAD_MAX ? AT_HTTP_TOO_LARGE : AT_HTTP_MORE;
}

/* Without its CR LF. A lone one is not a line end, and nothing that may be there. */
static bool
cut_line(AtText *text, AtText *line)
{
	if (!at_text_line(text, line) || line->len == 0 || line->data[line->len - 1] != '\r')
		return false;
	line->len--;
	return memchr(line->data, '\r', line->len) == NULL &&
		   memchr(line->data, '\0', line->len) == NULL;
}

static bool
read_version(AtText *line)
{
	return at_text_skip(line, "HTTP/1.1") || at_text_skip(line, "HTTP/1.0");
}

static int
read_headers(AtText head, Length *length)
{
	AtText line;

	while (head.len > 0)
		if (!cut_line(&head, &line) || !read_header(line, length))
			return AT_HTTP_BAD_REQUEST;
	return AT_HTTP_OK;
}

/* Two lengths, even if equal, or a number that is none, are how requests are smuggled. */
static bool
read_header(AtText line, Length *length)
{
	AtText name;

	if (!at_text_until(&line, ':', &name) || name.len == 0 || name.data[0] == ' ' ||
		name.data[0] == '\t' || name.data[name.len - 1] == ' ')
		return false;
	if (is_name(name, "transfer-encoding"))
		length->is_chunked = true;
	if (!is_name(name, "content-length"))
		return true;
	if (length->is_known)
		return false;
	length->is_known = true;
	return at_text_decimal(trimmed(line), &length->bytes);
}

static bool
is_name(AtText name, const char *wanted)
{
	return name.len == strlen(wanted) && strncasecmp(name.data, wanted, name.len) == 0;
}

static AtText
trimmed(AtText text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
	{
		text.data++;
		text.len--;
	}
	while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

void
at_http_write_request(AtWriter *writer, const AtHttpRequest *request)
{
	at_write(writer, request->method);
	at_write_string(writer, " ");
	at_write(writer, request->path);
	at_write_string(writer, " HTTP/1.1\r\nHost: witness\r\nContent-Length: ");
	at_write_decimal(writer, request->body.len);
	at_write_string(writer, "\r\nConnection: close\r\n\r\n");
	at_write(writer, request->body);
}

void
at_http_write_response(AtWriter *writer, int status, const char *type, AtText body)
{
	const char *phrase = "";

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if ((int) phrases[i].status == status)
			phrase = phrases[i].phrase;
	at_write_string(writer, "HTTP/1.1 ");
	at_write_decimal(writer, status);
	at_write_string(writer, " ");
	at_write_string(writer, phrase);
	at_write_string(writer, "\r\nContent-Type: ");
	at_write_string(writer, type);
	at_write_string(writer, "\r\nContent-Length: ");
	at_write_decimal(writer, body.len);
	at_write_string(writer, "\r\nConnection: close\r\n\r\n");
	at_write(writer, body);
}
