/*-------------------------------------------------------------------------
 * http.h
 *		As much of HTTP/1.1 as tlog-witness needs: one request with a body of
 *		known length, one response, and the connection ends.
 *
 * Messages are read from a buffer that is not whole yet, again and again,
 * until they are. Everything is bounded by the buffer.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HTTP_H
#define AT_HTTP_H

#include "core/text.h"

/* Longest head, and longest body. */
#define AT_HTTP_HEAD_MAX 8192
#define AT_HTTP_BODY_MAX 32768

#define AT_HTTP_MORE 0 /* there must be more */

/* Status codes of the protocol. */
typedef enum AtHttpStatus
{
	AT_HTTP_OK = 200,
	AT_HTTP_BAD_REQUEST = 400,
	AT_HTTP_FORBIDDEN = 403,
	AT_HTTP_NOT_FOUND = 404,
	AT_HTTP_METHOD = 405,
	AT_HTTP_TIMEOUT = 408,
	AT_HTTP_CONFLICT = 409,
	AT_HTTP_LENGTH = 411,
	AT_HTTP_TOO_LARGE = 413,
	AT_HTTP_UNPROCESSABLE = 422,
	AT_HTTP_SERVER_ERROR = 500
} AtHttpStatus;

typedef struct AtHttpRequest
{
	AtText method;
	AtText path;
	AtText body;
} AtHttpRequest;

typedef struct AtHttpResponse
{
	int status;
	AtText body;
} AtHttpResponse;

/* Read a request: AT_HTTP_MORE, AT_HTTP_OK, or the status to refuse it with. Points into bytes. */
extern int at_http_read_request(AtHttpRequest *request, AtText bytes);

/*
 * Read a response: AT_HTTP_MORE, AT_HTTP_OK, or AT_HTTP_BAD_REQUEST if it is
 * none. Without a length it ends with the connection: is_end says so.
 */
extern int at_http_read_response(AtHttpResponse *response, AtText bytes, bool is_end);

extern void at_http_write_request(AtWriter *writer, const AtHttpRequest *request);
extern void at_http_write_response(AtWriter *writer, int status, const char *type, AtText body);

#endif
