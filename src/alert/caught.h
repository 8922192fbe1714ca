/*-------------------------------------------------------------------------
 * caught.h
 *		Run what must not break the command that it runs in.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CAUGHT_H
#define AT_CAUGHT_H

/*
 * Run the work; false if it raised an error, which is then forgotten. What ends a command
 * all the same is passed on: that it is canceled, that memory is exhausted, a fault of the server.
 * There is no subtransaction: the work must open nothing, take no lock and change nothing.
 */
extern bool at_caught(void (*work)(void *arg), void *arg);

#endif
