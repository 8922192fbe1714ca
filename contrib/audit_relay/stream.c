/*-------------------------------------------------------------------------
 * stream.c
 *		A connection to a receiver of syslog.
 *
 * Syslog has no answers. That the system has taken the bytes is all that
 * can be known; a connection that the receiver has closed by then is found
 * out before the message counts as delivered, one that it closes later is
 * not.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "stream.h"

#define HOST_MAX 256
#define PORT_MAX 16

/* Of "tls://" or "tcp://". */
typedef struct Address
{
	bool is_tls;
	char host[HOST_MAX];
	char port[PORT_MAX];
} Address;

struct AtStream
{
	int fd;
	bool is_framed;
	SSL_CTX *context; /* NULL without TLS */
	SSL *ssl;
};

static bool read_address(Address *address, const char *text);
static int connect_host(const Address *address, int timeout, char reason[AT_REASON_MAX]);
static int connect_in_time(const struct addrinfo *to, int timeout);
static int connect_path(const char *path, int timeout, char reason[AT_REASON_MAX]);
static void limit_time(int fd, int timeout);
static bool start_tls(AtStream *stream, const Address *address, const char *ca_file,
					  char reason[AT_REASON_MAX]);
static bool is_closed(AtStream *stream);
static void say_tls(char reason[AT_REASON_MAX], const char *what, const SSL *ssl);

AtStream *
at_stream_open(const char *address, const char *ca_file, int timeout, char reason[AT_REASON_MAX])
{
	AtStream *stream = calloc(1, sizeof(AtStream));
	Address parts = {0};
	bool is_path = strncmp(address, "unix:", 5) == 0;

	if (stream == NULL)
		return NULL;
	stream->fd = -1;
	if (is_path)
		stream->fd = connect_path(address + 5, timeout, reason);
	else if (!read_address(&parts, address))
		(void) snprintf(reason, AT_REASON_MAX, "no address: \"%s\"", address);
	else
		stream->fd = connect_host(&parts, timeout, reason);
	stream->is_framed = !is_path;
	if (stream->fd >= 0 && (!parts.is_tls || start_tls(stream, &parts, ca_file, reason)))
		return stream;
	at_stream_close(stream);
	return NULL;
}

static bool
read_address(Address *address, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *host = strstr(text, "://");
	size_t len;

	address->is_tls = strncmp(text, "tls://", 6) == 0;
	if (host == NULL || (!address->is_tls && strncmp(text, "tcp://", 6) != 0))
		return false;
	host += 3;
	if (colon == NULL || colon < host || strlen(colon + 1) >= PORT_MAX || colon[1] == '\0')
		return false;
	len = (size_t) (colon - host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']')
	{
		host++;
		len -= 2;
	}
	if (len == 0 || len >= HOST_MAX)
		return false;
	memcpy(address->host, host, len);
	memcpy(address->port, colon + 1, strlen(colon + 1));
	return true;
}

static int
connect_host(const Address *address, int timeout, char reason[AT_REASON_MAX])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int error = getaddrinfo(address->host, address->port, &hints, &list);
	int fd = -1;

	if (error != 0)
	{
		(void) snprintf(reason, AT_REASON_MAX, "%s: %s", address->host, gai_strerror(error));
		return -1;
	}
	for (const struct addrinfo *to = list; to != NULL && fd < 0; to = to->ai_next)
		fd = connect_in_time(to, timeout);
	if (fd < 0)
		(void) snprintf(reason, AT_REASON_MAX, "could not connect to %s port %s: %s", address->host,
						address->port, strerror(errno));
	freeaddrinfo(list);
	return fd;
}

static int
connect_in_time(const struct addrinfo *to, int timeout)
{
	struct pollfd wait = {.events = POLLOUT};
	int fd = socket(to->ai_family, to->ai_socktype, to->ai_protocol);
	int error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -1;
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void) fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS)
		error = errno;
	wait.fd = fd;
	if (error == 0 && poll(&wait, 1, timeout * 1000) != 1)
		error = ETIMEDOUT;
	if (error == 0)
		(void) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0)
	{
		close(fd);
		errno = error;
		return -1;
	}
	(void) fcntl(fd, F_SETFL, 0);
	limit_time(fd, timeout);
	return fd;
}

static void
limit_time(int fd, int timeout)
{
	struct timeval limit = {.tv_sec = timeout};

	(void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* A receiver that does not read lets the sender wait: no longer than an attempt may take. */
static int
connect_path(const char *path, int timeout, char reason[AT_REASON_MAX])
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(to.sun_path))
	{
		(void) snprintf(reason, AT_REASON_MAX, "too long: %s", path);
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd >= 0)
	{
		(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
		limit_time(fd, timeout);
		if (connect(fd, (struct sockaddr *) &to, sizeof(to)) == 0)
			return fd;
	}
	(void) snprintf(reason, AT_REASON_MAX, "could not connect to %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The name, or the address, has to be in the certificate. */
static bool
expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1)
		return true;
	ERR_clear_error();
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static bool
start_tls(AtStream *stream, const Address *address, const char *ca_file, char reason[AT_REASON_MAX])
{
	ERR_clear_error();
	stream->context = SSL_CTX_new(TLS_client_method());
	if (stream->context == NULL ||
		SSL_CTX_set_min_proto_version(stream->context, TLS1_2_VERSION) != 1 ||
		(ca_file[0] != '\0' ? SSL_CTX_load_verify_locations(stream->context, ca_file, NULL)
							: SSL_CTX_set_default_verify_paths(stream->context)) != 1)
	{
		say_tls(reason, "could not prepare TLS", NULL);
		return false;
	}
	SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL);
	stream->ssl = SSL_new(stream->context);
	if (stream->ssl == NULL || !expect_host(stream->ssl, address->host) ||
		SSL_set_fd(stream->ssl, stream->fd) != 1 || SSL_connect(stream->ssl) != 1)
	{
		say_tls(reason, "no TLS", stream->ssl);
		return false;
	}
	return true;
}

static void
say_tls(char reason[AT_REASON_MAX], const char *what, const SSL *ssl)
{
	unsigned long code = ERR_get_error();
	long verified = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);
	const char *why = code == 0 ? "the connection was closed" : ERR_reason_error_string(code);

	if (verified != X509_V_OK)
		why = X509_verify_cert_error_string(verified);
	(void) snprintf(reason, AT_REASON_MAX, "%s: %s", what, why == NULL ? "unknown" : why);
	ERR_clear_error();
}

bool
at_stream_is_framed(const AtStream *stream)
{
	return stream->is_framed;
}

bool
at_stream_send(AtStream *stream, const char *bytes, size_t len, char reason[AT_REASON_MAX])
{
	size_t done = 0;

	while (done < len)
	{
		ssize_t sent;

		if (stream->ssl != NULL)
		{
			ERR_clear_error();
			sent = SSL_write(stream->ssl, bytes + done, (int) (len - done));
			if (sent <= 0)
			{
				say_tls(reason, "could not send", stream->ssl);
				return false;
			}
		}
		else
			sent = send(stream->fd, bytes + done, len - done, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
		{
			(void) snprintf(reason, AT_REASON_MAX, "could not send: %s", strerror(errno));
			return false;
		}
		done += (size_t) sent;
	}
	if (stream->is_framed && is_closed(stream))
	{
		(void) snprintf(reason, AT_REASON_MAX, "the receiver has closed the connection");
		return false;
	}
	return true;
}

/* A receiver says nothing: what can be read is the end, or what belongs to TLS. */
static bool
is_closed(AtStream *stream)
{
	struct pollfd wait = {.fd = stream->fd, .events = POLLIN};
	char byte;
	ssize_t got;

	if (poll(&wait, 1, 0) == 0)
		return false;
	got = recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got <= 0)
		return got == 0 || (errno != EAGAIN && errno != EINTR);
	if (stream->ssl == NULL)
		return recv(stream->fd, &byte, 1, MSG_DONTWAIT) == 0;
	(void) fcntl(stream->fd, F_SETFL, O_NONBLOCK);
	got = SSL_read(stream->ssl, &byte, 1);
	(void) fcntl(stream->fd, F_SETFL, 0);
	return got <= 0 && SSL_get_error(stream->ssl, (int) got) != SSL_ERROR_WANT_READ;
}

void
at_stream_close(AtStream *stream)
{
	if (stream->ssl != NULL)
		(void) SSL_shutdown(stream->ssl);
	SSL_free(stream->ssl);
	SSL_CTX_free(stream->context);
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream);
}
