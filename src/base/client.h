/*-------------------------------------------------------------------------
 * client.h
 *		The client of this process, as it said and as the server sees it: from
 *		the moment on when it asks for a connection.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CLIENT_H
#define AT_CLIENT_H

/* Texts are the server's, and in no known encoding; NULL where there is none. */
typedef struct AtClient
{
	const char *user;     /* whom it wants to be */
	const char *database; /* where; NULL for physical replication */
	const char *address;  /* NULL on a local socket */
	int port;             /* 0 on a local socket */
	const char *method;   /* of authentication ("scram-sha-256"); NULL: none was chosen yet */
	const char *identity; /* who was authenticated, in the words of that method */
	bool is_replication;
} AtClient;

/* False if this process serves no client. */
extern bool at_client_look(AtClient *client);

#endif
