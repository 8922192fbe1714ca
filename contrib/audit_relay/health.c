/*-------------------------------------------------------------------------
 * health.c
 *		A page that tells how it goes.
 *
 * One client at a time, a second for each, and any request gets the same
 * answer: it is for a monitor beside it. It has no value of an alert in it.
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "health.h"
#include "message.h"

#define PAGE_MAX    (2048 + AT_SINKS_MAX * 1024)
#define REQUEST_MAX 4096

static bool read_address(struct sockaddr_storage *to, socklen_t *len, const char *address);
static bool read_request(int client);
static bool write_page(char page[PAGE_MAX], const AtConfig *config, AtSink *const *sinks);
static void add(char page[PAGE_MAX], size_t *len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

int
at_health_listen(const char *address)
{
	struct sockaddr_storage to;
	socklen_t len;
	int on = 1;
	int fd;

	if (!read_address(&to, &len, address))
	{
		at_say("health: 127.0.0.1:PORT or [::1]:PORT is wanted, not \"%s\"", address);
		return -1;
	}
	fd = socket(to.ss_family, SOCK_STREAM, 0);
	if (fd >= 0)
	{
		(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void) fcntl(fd, F_SETFL, O_NONBLOCK);
		(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *) &to, len) == 0 && listen(fd, 16) == 0)
			return fd;
		close(fd);
	}
	at_say("health: could not listen on \"%s\": %s", address, strerror(errno));
	return -1;
}

static bool
read_address(struct sockaddr_storage *to, socklen_t *len, const char *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *) to;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *) to;
	const char *port = strrchr(address, ':');
	long number = port == NULL ? 0 : strtol(port + 1, NULL, 10);

	memset(to, 0, sizeof(*to));
	if (number < 1 || number > 65535)
		return false;
	if (strncmp(address, "127.0.0.1:", 10) == 0)
	{
		*len = sizeof(*four);
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t) number);
		return inet_pton(AF_INET, "127.0.0.1", &four->sin_addr) == 1;
	}
	*len = sizeof(*six);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t) number);
	return strncmp(address, "[::1]:", 6) == 0 && inet_pton(AF_INET6, "::1", &six->sin6_addr) == 1;
}

void
at_health_answer(int listener, const AtConfig *config, AtSink *const *sinks)
{
	static char page[PAGE_MAX];
	struct timeval limit = {.tv_sec = 1};
	char head[200];
	int client = accept(listener, NULL, NULL);
	bool is_good;

	if (client < 0)
		return;
	(void) fcntl(client, F_SETFD, FD_CLOEXEC);
	(void) setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void) setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (read_request(client))
	{
		is_good = write_page(page, config, sinks);
		(void) snprintf(head, sizeof(head),
						"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
						"Cache-Control: no-store\r\nConnection: close\r\n\r\n",
						is_good ? "200 OK" : "503 Service Unavailable", strlen(page));
		(void) !send(client, head, strlen(head), MSG_NOSIGNAL);
		(void) !send(client, page, strlen(page), MSG_NOSIGNAL);
		(void) shutdown(client, SHUT_WR);
	}
	close(client);
}

/* To the end of its head, in a second; what it asks for does not matter. */
static bool
read_request(int client)
{
	char request[REQUEST_MAX + 1];
	size_t len = 0;
	time_t until = time(NULL) + 1;

	while (len < REQUEST_MAX && time(NULL) <= until)
	{
		ssize_t got = recv(client, request + len, REQUEST_MAX - len, 0);

		if (got <= 0)
			return false;
		len += (size_t) got;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") != NULL || strstr(request, "\n\n") != NULL)
			return true;
	}
	return false;
}

/* Names of sinks and reasons have been made fit for JSON where they were taken. */
static bool
write_page(char page[PAGE_MAX], const AtConfig *config, AtSink *const *sinks)
{
	time_t now = time(NULL);
	bool is_good = true;
	size_t len = 0;

	add(page, &len, "{\"version\":\"%s\",\"sinks\":[", AT_VERSION);
	for (int i = 0; i < config->nsinks; i++)
	{
		AtSinkStatus status;
		bool delivers;

		at_sink_status(sinks[i], &status);
		delivers = status.is_connected && status.in_a_row == 0;
		is_good = is_good && delivers;
		add(page, &len,
			"%s{\"name\":\"%s\",\"ok\":%s,\"connected\":%s,\"delivery_id\":%lld,\"lag_seconds\":%"
			"lld,"
			"\"delivered\":%llu,\"failures\":%llu,\"failures_in_a_row\":%d,\"dead_letters\":%llu,"
			"\"last_delivery\":%lld,\"error\":\"%s\"}",
			i == 0 ? "" : ",", config->sink[i].name, delivers ? "true" : "false",
			status.is_connected ? "true" : "false", (long long) status.delivery_id,
			(long long) (status.waiting_since == 0 ? 0 : now - status.waiting_since),
			(unsigned long long) status.delivered, (unsigned long long) status.failures,
			status.in_a_row, (unsigned long long) status.dead_letters,
			(long long) status.last_delivery, status.error);
	}
	add(page, &len, "],\"ok\":%s}\n", is_good ? "true" : "false");
	return is_good;
}

static void
add(char page[PAGE_MAX], size_t *len, const char *format, ...)
{
	va_list arguments;
	int added;

	va_start(arguments, format);
	added = vsnprintf(page + *len, PAGE_MAX - *len, format, arguments);
	va_end(arguments);
	if (added > 0 && *len + (size_t) added < PAGE_MAX)
		*len += (size_t) added;
}
