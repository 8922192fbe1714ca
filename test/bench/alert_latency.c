/*-------------------------------------------------------------------------
 * alert_latency.c
 *		How long it takes from a commit to a listener.
 *
 *	alert_latency ALERTS_A_SECOND SECONDS WRITERS
 *
 * Each writer changes rows of its own, one a transaction, at its share of the
 * rate, and notes when the answer to its commit came. The listener notes when
 * it has the notification. Prints a line of a table: what passed between the
 * two, in ms. The connection is that of the environment (PGHOST, ...).
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#define MAX_ALERTS 200000

static double committed[MAX_ALERTS];
static double heard[MAX_ALERTS];
static atomic_int nheard;
static int count;
static int writers;
static double rate;
static double began;

static double
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double) at.tv_sec + (double) at.tv_nsec / 1e9;
}

static PGconn *
connect_or_die(void)
{
	PGconn *connection = PQconnectdb("");

	if (PQstatus(connection) != CONNECTION_OK)
	{
		fputs(PQerrorMessage(connection), stderr);
		exit(1);
	}
	return connection;
}

static void
run_or_die(PGconn *connection, const char *command)
{
	PGresult *result = PQexec(connection, command);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		fputs(PQerrorMessage(connection), stderr);
		exit(1);
	}
	PQclear(result);
}

static void *
write_alerts(void *arg)
{
	int first = *(int *) arg;
	PGconn *connection = connect_or_die();

	for (int i = first; i < count; i += writers)
	{
		double left = began + i / rate - now();
		char command[100];

		if (left > 0)
			nanosleep(&(struct timespec){.tv_sec = (time_t) left,
										 .tv_nsec = (long) ((left - (double) (time_t) left) * 1e9)},
					  NULL);
		snprintf(command, sizeof(command), "UPDATE bench.each SET price = price + 1 WHERE id = %d",
				 i);
		run_or_die(connection, command);
		committed[i] = now();
	}
	PQfinish(connection);
	return NULL;
}

static void *
listen_alerts(void *arg)
{
	PGconn *connection = arg;
	double until = now() + count / rate + 60;

	while (atomic_load(&nheard) < count && now() < until)
	{
		struct pollfd wait = {.fd = PQsocket(connection), .events = POLLIN};
		PGnotify *notify;

		poll(&wait, 1, 100);
		PQconsumeInput(connection);
		while ((notify = PQnotifies(connection)) != NULL)
		{
			const char *key = strstr(notify->extra, "\"resource_id\":\"");

			if (key != NULL)
			{
				heard[atoi(key + 15)] = now();
				atomic_fetch_add(&nheard, 1);
			}
			PQfreemem(notify);
		}
	}
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	double difference = *(const double *) a - *(const double *) b;

	return (difference > 0) - (difference < 0);
}

int
main(int argc, char **argv)
{
	static pthread_t thread[256];
	static int first[256];
	static double took[MAX_ALERTS];
	pthread_t listener;
	PGconn *connection = connect_or_die();
	int n = 0;

	if (argc != 4)
		return 2;
	rate = atof(argv[1]);
	count = (int) (rate * atof(argv[2]));
	writers = atoi(argv[3]);
	if (count < 1 || count > MAX_ALERTS || writers < 1 || writers > 256)
		return 2;
	run_or_die(connection, "LISTEN audit_alert");
	pthread_create(&listener, NULL, listen_alerts, connection);
	began = now() + 0.5;
	for (int i = 0; i < writers; i++)
	{
		first[i] = i;
		pthread_create(&thread[i], NULL, write_alerts, &first[i]);
	}
	for (int i = 0; i < writers; i++)
		pthread_join(thread[i], NULL);

	double ended = now();

	pthread_join(listener, NULL);
	for (int i = 0; i < count; i++)
		if (heard[i] > 0)
			took[n++] = heard[i] > committed[i] ? (heard[i] - committed[i]) * 1000 : 0;
	qsort(took, (size_t) n, sizeof(double), compare);
	if (n == 0)
		return 1;
	printf("| %g | %.0f | %d of %d | %.1f | %.1f | %.1f | %.1f |\n", rate, count / (ended - began),
		   n, count, took[n / 2], took[n * 95 / 100], took[n * 99 / 100], took[n - 1]);
	return n == count ? 0 : 1;
}
