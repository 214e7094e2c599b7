/* One contract, two stores. */
#include "store/mem/mem.h"
#include "store/sqlite/sqlite.h"
#include "testlib/check.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/warren-store-XXXXXX";

struct seen {
	char text[1024];
};

static int collect(void *ctx, int64_t id, struct view doc)
{
	struct seen *s = ctx;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%lld=%.*s ", (long long)id, (int)doc.len,
		(const char *)doc.p);
	return 0;
}

static void check_content(struct coord_store *s, enum coord_kind kind, const char *want)
{
	struct seen seen = { "" };

	CHECK_INT(s->ops->load(s, kind, collect, &seen), ==, 0);
	CHECK_STR(seen.text, want);
}

static void contract(struct coord_store *s)
{
	s->ops->commit(s); /* nothing to do is fine */
	CHECK_INT(s->durable, ==, 0);
	CHECK_INT(s->ops->put(s, COORD_NODE, 1, VIEW_LIT("a")), ==, 0);
	CHECK_INT(s->ops->put(s, COORD_NODE, 2, VIEW_LIT("b")), ==, 0);
	CHECK_INT(s->ops->put(s, COORD_USER, 1, VIEW_LIT("u")), ==, 0);
	CHECK_TRUE(coord_store_settled(s)); /* nobody waits for these */
	CHECK_INT(s->batch, ==, 1);
	s->ops->commit(s);
	CHECK_INT(s->durable, ==, 1);
	check_content(s, COORD_NODE, "1=a 2=b ");
	check_content(s, COORD_USER, "1=u ");
	check_content(s, COORD_KEY, "");
	CHECK_INT(s->ops->put(s, COORD_NODE, 2, VIEW_LIT("B")), ==, 0);
	CHECK_INT(s->ops->del(s, COORD_NODE, 1), ==, 0);
	CHECK_INT(s->ops->del(s, COORD_NODE, 7), ==, 0);
	CHECK_INT(coord_store_put(s, COORD_NODE, 3, VIEW_LIT("c")), ==, 0);
	CHECK_INT(coord_store_del(s, COORD_NODE, 3), ==, 0);
	CHECK_INT(s->promised, ==, 2);
	CHECK_TRUE(!coord_store_settled(s));
	s->ops->commit(s);
	CHECK_TRUE(coord_store_settled(s));
	check_content(s, COORD_NODE, "2=B ");
}

static void memory_store_keeps_the_contract(void **state)
{
	struct store_mem *m;

	CHECK_INT(store_mem_new(&m), ==, 0);
	contract(store_mem_store(m));
	store_mem_free(m);
}

static void sqlite_store_keeps_the_contract_and_its_content(void **state)
{
	struct store_sqlite *s;
	struct err_at at;
	int fd = mkstemp(path);

	CHECK_INT(fd, >=, 0);
	close(fd);
	CHECK_INT(store_sqlite_open(&s, path, false, &at), ==, 0);
	contract(store_sqlite_store(s));
	CHECK_INT(store_sqlite_store(s)->ops->put(
			  store_sqlite_store(s), COORD_NODE, 9, VIEW_LIT("not committed")),
		==, 0);
	store_sqlite_close(s);
	CHECK_INT(store_sqlite_open(&s, path, false, &at), ==, 0);
	check_content(store_sqlite_store(s), COORD_NODE, "2=B ");
	store_sqlite_close(s);
	unlink(path);
}

struct late {
	struct loop *loop;
	struct loop_timer *timer;
	struct store_sqlite *store;
	sqlite3 *other; /* holds the database until the writer has found out */
	unsigned ticks;
};

static void look(void *ctx)
{
	struct late *w = ctx;
	struct store_sqlite_state state;
	struct coord_store *s = store_sqlite_store(w->store);

	w->ticks++;
	store_sqlite_state(w->store, &state);
	if (w->other && state.busy) {
		CHECK_INT(s->durable, ==, 1);
		CHECK_INT(state.pending, >, 0);
		CHECK_INT(sqlite3_exec(w->other, "ROLLBACK", NULL, NULL, NULL), ==, SQLITE_OK);
		sqlite3_close(w->other);
		w->other = NULL;
	}
	s->ops->commit(s); /* the end of a turn */
	if (coord_store_settled(s))
		loop_stop(w->loop);
	else
		loop_timer_set(w->timer, loop_now(w->loop).mono + MSEC(2));
}

static void run_until_settled(struct late *w)
{
	loop_timer_set(w->timer, loop_now(w->loop).mono + MSEC(2));
	loop_run(w->loop);
	CHECK_TRUE(coord_store_settled(store_sqlite_store(w->store)));
}

static void a_started_store_writes_beside_the_loop(void **state)
{
	struct late w = { 0 };
	struct coord_store *s;
	struct err_at at;
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	CHECK_INT(fd, >=, 0);
	close(fd);
	CHECK_INT(loop_new(&w.loop), ==, 0);
	CHECK_INT(loop_timer_new(w.loop, look, &w, &w.timer), ==, 0);
	CHECK_INT(store_sqlite_open(&w.store, path, false, &at), ==, 0);
	CHECK_TRUE(store_sqlite_was_made(w.store));
	CHECK_INT(store_sqlite_start(w.store, w.loop), ==, 0);
	s = store_sqlite_store(w.store);
	CHECK_INT(coord_store_put(s, COORD_NODE, 1, VIEW_LIT("a")), ==, 0);
	s->ops->commit(s);
	CHECK_INT(s->durable, ==, 0); /* the loop has not heard of it */
	run_until_settled(&w);
	CHECK_INT(sqlite3_open(path, &w.other), ==, SQLITE_OK);
	CHECK_INT(sqlite3_exec(w.other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), ==, SQLITE_OK);
	for (int64_t id = 2; id < 50; id++) {
		CHECK_INT(coord_store_put(s, COORD_NODE, id, VIEW_LIT("b")), ==, 0);
		s->ops->commit(s);
	}
	w.ticks = 0;
	run_until_settled(&w);
	CHECK_INT(w.ticks, >, 10);    /* the loop went on */
	CHECK_INT(s->durable, ==, 3); /* the one that waited, and all others together */
	CHECK_INT(coord_store_put(s, COORD_NODE, 50, VIEW_LIT("c")), ==, 0);
	CHECK_INT(store_sqlite_stop(w.store), ==, 0); /* writes what was not even committed */
	CHECK_INT(s->durable, ==, 4);
	loop_timer_free(w.timer);
	loop_free(w.loop);
	store_sqlite_close(w.store);
	CHECK_INT(store_sqlite_open(&w.store, path, true, &at), ==, 0);
	{
		struct seen seen = { "" };

		CHECK_INT(store_sqlite_store(w.store)->ops->load(
				  store_sqlite_store(w.store), COORD_NODE, collect, &seen),
			==, 0);
		CHECK_TRUE(!strncmp(seen.text, "1=a 2=b 3=b ", 12) && strstr(seen.text, "50=c"));
	}
	store_sqlite_close(w.store);
	unlink(path);
}

static void what_is_no_database_is_told(void **state)
{
	struct store_sqlite *s;
	struct err_at at = { 0 };

	CHECK_INT(store_sqlite_open(&s, "/nonexistent/x.db", false, &at), ==, -ENOENT);
	CHECK_STR(at.text, "is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_store_keeps_the_contract),
		cmocka_unit_test(sqlite_store_keeps_the_contract_and_its_content),
		cmocka_unit_test(a_started_store_writes_beside_the_loop),
		cmocka_unit_test(what_is_no_database_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
