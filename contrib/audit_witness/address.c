/*-------------------------------------------------------------------------
 * address.c
 *		Where a witness is.
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "message.h"

#define BACKLOG 64

typedef struct Address
{
	struct sockaddr_storage bytes;
	socklen_t len;
} Address;

static void read_address(const char *text, Address *address);
static void read_socket_path(const char *path, Address *address);
static bool is_loopback(const Address *address);
static void remove_old_socket(const char *path);
static void say_where(const char *text, int fd);

int
at_listen(const char *text)
{
	Address address;
	int fd;
	int yes = 1;

	read_address(text, &address);
	if (!is_loopback(&address))
		at_die(AT_EXIT_USAGE, "\"%s\" is not an address of this machine alone", text);
	if (address.bytes.ss_family == AF_UNIX)
		remove_old_socket(text);
	fd = socket(address.bytes.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
		bind(fd, (struct sockaddr *) &address.bytes, address.len) != 0 || listen(fd, BACKLOG) != 0)
		at_die(AT_EXIT_FAILURE, "could not listen at \"%s\": %s", text, strerror(errno));
	say_where(text, fd);
	return fd;
}

static bool
is_loopback(const Address *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *) &address->bytes;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &address->bytes;

	switch (address->bytes.ss_family)
	{
		case AF_UNIX:
			return true;
		case AF_INET:
			return ntohl(in->sin_addr.s_addr) >> 24 == 127;
		case AF_INET6:
			return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
		default:
			return false;
	}
}

/* One that a witness left behind: the lock of the state says that there is no other. */
static void
remove_old_socket(const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		(void) unlink(path);
}

/* With the port that the system chose, where that was left to it. */
static void
say_where(const char *text, int fd)
{
	struct sockaddr_storage bytes;
	socklen_t len = sizeof(bytes);
	char host[INET6_ADDRSTRLEN];
	char port[8];

	if (getsockname(fd, (struct sockaddr *) &bytes, &len) == 0 && bytes.ss_family != AF_UNIX &&
		getnameinfo((struct sockaddr *) &bytes, len, host, sizeof(host), port, sizeof(port),
					NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		printf(bytes.ss_family == AF_INET ? "listening at %s:%s\n" : "listening at [%s]:%s\n", host,
			   port);
	else
		printf("listening at %s\n", text);
	fflush(stdout);
}

int
at_connect(const char *text, int seconds)
{
	struct timeval limit = {.tv_sec = seconds};
	Address address;
	int fd;

	read_address(text, &address);
	fd = socket(address.bytes.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
		connect(fd, (struct sockaddr *) &address.bytes, address.len) != 0)
	{
		at_say("could not connect to \"%s\": %s", text, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* Numbers only: a name could be made to lead elsewhere. */
static void
read_address(const char *text, Address *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
							 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t) (colon - text);

	memset(address, 0, sizeof(*address));
	if (strchr(text, '/') != NULL)
	{
		read_socket_path(text, address);
		return;
	}
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
	{
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(host))
		at_die(AT_EXIT_USAGE, "\"%s\" is neither address:port nor the path of a socket", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		at_die(AT_EXIT_USAGE, "\"%s\" is not an address in numbers", text);
	memcpy(&address->bytes, found->ai_addr, found->ai_addrlen);
	address->len = found->ai_addrlen;
	freeaddrinfo(found);
}

static void
read_socket_path(const char *path, Address *address)
{
	struct sockaddr_un *un = (struct sockaddr_un *) &address->bytes;

	if (strlen(path) >= sizeof(un->sun_path))
		at_die(AT_EXIT_USAGE, "the path \"%s\" is too long for a socket", path);
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	address->len = sizeof(*un);
}

int64_t
at_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
