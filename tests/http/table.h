/* tests/http/table: a table with a route of every kind, for the server's test and fuzz target. */
#ifndef WARREN_TESTS_HTTP_TABLE_H
#define WARREN_TESTS_HTTP_TABLE_H

#include "http/router/router.h"

enum { TABLE_RIGHT = 1 };

extern const struct router table;
extern struct http_reply *table_late; /* that waits for table_answer; NULL: none */
extern int table_gone;                /* replies whose connection ended first */
extern char table_got[256];           /* what the sink was given, and how it ended */
extern bool table_sink_is_full;
extern uint64_t table_ticket; /* of the next changes; 0: they are durable */

/* Answers the one that waits. */
void table_answer(const char *text);
/* Has the stream that waits for more go on, to its end. */
void table_finish_stream(void);

#endif
