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
	CHECK_INT(coord_store_note(s, COORD_NODE, 1, VIEW_LIT("a")), ==, 0);
	CHECK_INT(coord_store_note(s, COORD_NODE, 2, VIEW_LIT("b")), ==, 0);
	CHECK_INT(coord_store_note(s, COORD_USER, 1, VIEW_LIT("u")), ==, 0);
	CHECK_TRUE(coord_store_settled(s)); /* nobody waits for these */
	CHECK_INT(s->batch, ==, 1);
	s->ops->commit(s);
	CHECK_INT(s->durable, ==, 1);
	check_content(s, COORD_NODE, "1=a 2=b ");
	check_content(s, COORD_USER, "1=u ");
	check_content(s, COORD_KEY, "");
	CHECK_INT(coord_store_note(s, COORD_NODE, 2, VIEW_LIT("B")), ==, 0);
	CHECK_INT(s->ops->change(s, COORD_NODE, 1, NULL, false), ==, 0);
	CHECK_INT(s->ops->change(s, COORD_NODE, 7, NULL, false), ==, 0);
	CHECK_INT(coord_store_put(s, COORD_NODE, 3, VIEW_LIT("c")), ==, 0);
	CHECK_INT(coord_store_del(s, COORD_NODE, 3), ==, 0);
	CHECK_INT(s->promised, ==, 2);
	CHECK_TRUE(!coord_store_settled(s));
	s->ops->commit(s);
	CHECK_TRUE(coord_store_settled(s));
	check_content(s, COORD_NODE, "2=B ");
}

static int collect_change(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc)
{
	struct seen *s = ctx;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%d/%lld=%.*s ", (int)kind, (long long)id,
		doc ? (int)doc->len : 4, doc ? (const char *)doc->p : "GONE");
	return 0;
}

static void check_changes(struct coord_store *s, const char *want)
{
	struct seen seen = { "" };

	CHECK_INT(s->ops->changes(s, collect_change, &seen), ==, 0);
	CHECK_STR(seen.text, want);
	CHECK_INT(s->foreign, ==, COORD_FOREIGN_NONE);
}

/* Either kind of store. */
struct handle {
	struct coord_store *store;
	struct store_mem *mem;
	struct store_sqlite *sqlite;
};

static struct handle of_mem(struct store_mem *m)
{
	return (struct handle){ .store = store_mem_store(m), .mem = m };
}

static struct handle of_sqlite(struct store_sqlite *s)
{
	return (struct handle){ .store = store_sqlite_store(s), .sqlite = s };
}

static void look(const struct handle *h)
{
	if (h->mem)
		store_mem_look(h->mem);
	else
		store_sqlite_look(h->sqlite);
}

static void check_foreign(const struct handle *h, const char *want)
{
	look(h);
	CHECK_ROW("%s", want);
	CHECK_INT(h->store->foreign, ==, *want ? COORD_FOREIGN_SOME : COORD_FOREIGN_NONE);
	check_changes(h->store, want);
}

static void put_now(struct coord_store *s, int64_t id, const char *text)
{
	CHECK_INT(coord_store_put(s, COORD_NODE, id, view_of(text, strlen(text))), ==, 0);
	s->ops->commit(s);
	CHECK_TRUE(coord_store_settled(s));
}

static void note(struct coord_store *s, int64_t id, const char *text)
{
	CHECK_INT(coord_store_note(s, COORD_NODE, id, view_of(text, strlen(text))), ==, 0);
}

static void others_are_heard_of(
	const struct handle *a, const struct handle *b, const struct handle *other)
{
	check_foreign(b, "");
	put_now(a->store, 20, "x");
	put_now(a->store, 21, "y");
	put_now(a->store, 20, "z");
	put_now(other->store, 20, "theirs");
	check_content(other->store, COORD_NODE, "20=theirs ");
	check_foreign(a, ""); /* its own */
	check_foreign(other, "");
	check_foreign(b, "1/21=y 1/20=z "); /* each once, as it is now */
	check_foreign(b, "");
	CHECK_INT(coord_store_del(b->store, COORD_NODE, 21), ==, 0);
	b->store->ops->commit(b->store);
	put_now(b->store, 22, "from b");
	check_foreign(a, "1/21=GONE 1/22=from b ");
	check_content(a->store, COORD_NODE, "2=B 20=z 22=from b ");
	check_content(b->store, COORD_NODE, "2=B 20=z 22=from b ");
	check_content(other->store, COORD_NODE, "20=theirs ");
	look(a);
	put_now(b->store, 23, "after the look");
	CHECK_INT(a->store->foreign, ==, COORD_FOREIGN_NONE);
	check_foreign(a, "1/23=after the look ");
}

/* Of a document that two changed a promise counts, and what has none gives way; memory and disk agree in the end. */
static void who_changed_the_same_agrees(const struct handle *a, const struct handle *b)
{
	put_now(a->store, 30, "edited");
	note(b->store, 30, "seen at noon"); /* b has not heard of the edit */
	b->store->ops->commit(b->store);
	check_foreign(b, "1/30=edited ");
	check_content(b->store, COORD_NODE, "2=B 20=z 22=from b 23=after the look 30=edited ");
	put_now(a->store, 30, "edited again");
	look(b);
	note(b->store, 30, "seen at one"); /* nor of this one */
	check_changes(b->store, "1/30=edited again ");
	b->store->ops->commit(b->store);
	check_content(
		b->store, COORD_NODE, "2=B 20=z 22=from b 23=after the look 30=edited again ");
	put_now(a->store, 30, "lost");
	put_now(b->store, 30, "renamed");
	check_foreign(b, "");
	check_foreign(a, "1/30=renamed ");
	put_now(a->store, 30, "lost, too");
	look(b);
	put_now(b->store, 30, "promised");
	check_changes(b->store, "");
	check_foreign(a, "1/30=promised ");
	check_content(b->store, COORD_NODE, "2=B 20=z 22=from b 23=after the look 30=promised ");
}

static int stop_at_second(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc)
{
	return ++*(int *)ctx == 2 ? -ENOMEM : 0;
}

static void who_cannot_take_changes_loads_anew(const struct handle *a, const struct handle *b)
{
	int n = 0;

	for (int i = 40; i < 43; i++)
		put_now(a->store, i, "x");
	look(b);
	CHECK_INT(b->store->ops->changes(b->store, stop_at_second, &n), ==, -ENOMEM);
	CHECK_INT(n, ==, 2);
	CHECK_INT(b->store->foreign, ==, COORD_FOREIGN_ALL);
	CHECK_TRUE(strstr(coord_store_refusal(b->store), "reads it anew"));
}

/* Two handles of one tailnet, and one of another, in one database that has been through the contract above. */
static void feed_contract(
	const struct handle *a, const struct handle *b, const struct handle *other)
{
	CHECK_INT(a->store->tailnet, ==, 1);
	CHECK_INT(b->store->tailnet, ==, 1);
	CHECK_INT(other->store->tailnet, ==, 2);
	others_are_heard_of(a, b, other);
	who_changed_the_same_agrees(a, b);
	check_foreign(other, "");
	who_cannot_take_changes_loads_anew(a, b);
}

static void memory_store_keeps_the_contract(void **state)
{
	struct store_mem *m, *second, *third;
	struct handle a, b, other;

	CHECK_INT(store_mem_new(&m), ==, 0);
	contract(store_mem_store(m));
	CHECK_INT(store_mem_open(m, 1, &second), ==, 0);
	CHECK_INT(store_mem_open(m, 2, &third), ==, 0);
	a = of_mem(m);
	b = of_mem(second);
	other = of_mem(third);
	feed_contract(&a, &b, &other);
	store_mem_free(m);
	check_content(other.store, COORD_NODE, "20=theirs "); /* the last one keeps it */
	store_mem_free(second);
	store_mem_free(third);
}

static void new_path(void)
{
	int fd;

	memset(path + strlen(path) - 6, 'X', 6);
	fd = mkstemp(path);
	CHECK_INT(fd, >=, 0);
	close(fd);
}

static void sqlite_store_keeps_the_contract_and_its_content(void **state)
{
	struct store_sqlite *s, *second, *third;
	struct handle a, b, other;
	struct err_at at;

	new_path();
	CHECK_INT(store_sqlite_open(&s, path, true, &at), ==, -ENOENT);
	CHECK_STR(at.text, "is empty (0 bytes)");
	CHECK_INT(store_sqlite_open(&s, path, false, &at), ==, 0);
	CHECK_TRUE(store_sqlite_was_made(s));
	contract(store_sqlite_store(s));
	store_sqlite_close(s);
	CHECK_INT(store_sqlite_open(&s, path, false, &at), ==, 0);
	CHECK_TRUE(!store_sqlite_was_made(s));
	check_content(store_sqlite_store(s), COORD_NODE, "2=B ");
	CHECK_INT(store_sqlite_open_tailnet(&second, path, 1, &at), ==, 0);
	CHECK_INT(store_sqlite_open_tailnet(&third, path, 2, &at), ==, 0);
	a = of_sqlite(s);
	b = of_sqlite(second);
	other = of_sqlite(third);
	feed_contract(&a, &b, &other);
	store_sqlite_close(second);
	store_sqlite_close(third);
	store_sqlite_close(s);
	unlink(path);
}

static void sql(const char *text, int want)
{
	sqlite3 *db;

	CHECK_INT(sqlite3_open(path, &db), ==, SQLITE_OK);
	CHECK_ROW("%s: %s", text, sqlite3_errmsg(db));
	CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), ==, want);
	sqlite3_close(db);
}

/* As the program that knew version 2 made it. */
#define VERSION_2 \
	"PRAGMA journal_mode = WAL;" \
	"BEGIN; CREATE TABLE doc (kind INTEGER, id INTEGER, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID; " \
	"PRAGMA user_version = 1; COMMIT; PRAGMA user_version = 2;" \
	"INSERT OR REPLACE INTO doc (kind, id, doc) VALUES (0, 1, 'u'), (1, 1, 'a'), (1, 2, 'b'), (64, 7, 'token')"

static void an_older_database_is_brought_up_and_loses_nothing(void **state)
{
	struct store_sqlite *s;
	struct err_at at = { 0 };

	new_path();
	sql(VERSION_2, SQLITE_OK);
	CHECK_INT(store_sqlite_open(&s, path, true, &at), ==, 0);
	CHECK_TRUE(!store_sqlite_was_made(s));
	check_content(store_sqlite_store(s), COORD_USER, "1=u ");
	check_content(store_sqlite_store(s), COORD_NODE, "1=a 2=b ");
	check_content(store_sqlite_store(s), COORD_API_TOKEN, "7=token ");
	store_sqlite_look(s);
	CHECK_INT(store_sqlite_store(s)->foreign, ==, COORD_FOREIGN_NONE);
	put_now(store_sqlite_store(s), 2, "B");
	store_sqlite_close(s);
	CHECK_INT(store_sqlite_open(&s, path, true, &at), ==, 0);
	check_content(store_sqlite_store(s), COORD_NODE, "1=a 2=B ");
	store_sqlite_close(s);
	unlink(path);
}

/* A step that fails leaves the database to the older program, as it was. */
static void a_database_that_cannot_be_brought_up_stays_as_it_is(void **state)
{
	struct store_sqlite *s;
	struct err_at at = { 0 };

	new_path();
	sql(VERSION_2 "; CREATE TABLE change (x)", SQLITE_OK);
	CHECK_INT(store_sqlite_open(&s, path, true, &at), ==, -ERR_STORE);
	CHECK_TRUE(strstr(at.text, "change"));
	sql("SELECT kind, id, doc FROM doc; DROP TABLE change", SQLITE_OK);
	CHECK_INT(store_sqlite_open(&s, path, true, &at), ==, 0);
	check_content(store_sqlite_store(s), COORD_NODE, "1=a 2=b ");
	store_sqlite_close(s);
	unlink(path);
}

static void a_newer_database_is_refused_in_words(void **state)
{
	struct store_sqlite *s;
	struct err_at at = { 0 };

	new_path();
	sql("CREATE TABLE doc (x); PRAGMA user_version = 4", SQLITE_OK);
	CHECK_INT(store_sqlite_open(&s, path, true, &at), ==, -ERR_BAD_VERSION);
	CHECK_TRUE(strstr(at.text, "newer version (4, this one knows 3); update the hub"));
	unlink(path);
}

/* As another process does it: the tables tell, whatever it is. */
static void what_is_edited_by_hand_is_heard_of(void **state)
{
	struct store_sqlite *s;
	struct err_at at = { 0 };
	struct handle h;

	new_path();
	CHECK_INT(store_sqlite_open(&s, path, false, &at), ==, 0);
	h = of_sqlite(s);
	for (int i = 1; i < 5; i++)
		put_now(h.store, i, "a");
	sql("UPDATE doc SET doc = 'b' WHERE id = 1; DELETE FROM doc WHERE id = 2; UPDATE doc SET id = 30 WHERE id = 3; "
	    "INSERT INTO doc (tailnet, kind, id, doc) VALUES (1, 1, 5, 'c'), (1, 0, 6, 'u'), (2, 1, 7, 'theirs')",
		SQLITE_OK);
	check_foreign(&h, "1/1=b 1/2=GONE 1/3=GONE 1/30=a 1/5=c 0/6=u ");
	put_now(h.store, 8, "mine");
	check_foreign(&h, "");
	sql("CREATE TABLE notes (x); INSERT INTO notes VALUES (1)", SQLITE_OK);
	check_foreign(&h, "");
	store_sqlite_close(s);
	unlink(path);
}

static void check_all_foreign(struct store_sqlite *s)
{
	struct coord_store *store = store_sqlite_store(s);

	store_sqlite_look(s);
	CHECK_INT(store->foreign, ==, COORD_FOREIGN_ALL);
	CHECK_TRUE(store_sqlite_is_quiet(s));
	store_sqlite_forget(s);
	CHECK_INT(store->foreign, ==, COORD_FOREIGN_NONE);
	store_sqlite_look(s);
	CHECK_INT(store->foreign, ==, COORD_FOREIGN_NONE);
}

static void who_cannot_know_what_changed_loads_anew(void **state)
{
	struct store_sqlite *s;
	struct coord_store *store;
	struct err_at at = { 0 };
	struct handle h;

	new_path();
	CHECK_INT(store_sqlite_open(&s, path, false, &at), ==, 0);
	h = of_sqlite(s);
	store = h.store;
	put_now(store, 1, "a");
	/* The list was shortened. */
	sql("UPDATE doc SET doc = 'b'; UPDATE doc SET doc = 'c'; DELETE FROM change WHERE seq < 5",
		SQLITE_OK);
	check_all_foreign(s);
	/* A backup was restored, and went on elsewhere: the same numbers with another history. */
	sql("DELETE FROM change WHERE seq > 3; INSERT INTO change (seq, mark) VALUES (4, 1), (5, 2), (6, 3)",
		SQLITE_OK);
	check_all_foreign(s);
	sql("DELETE FROM change", SQLITE_OK);
	check_all_foreign(s);
	/* What is noted gives way before a look, too, and what was promised is written. */
	sql("DELETE FROM change; UPDATE doc SET doc = 'd'", SQLITE_OK);
	note(store, 1, "seen");
	CHECK_INT(coord_store_put(store, COORD_NODE, 2, VIEW_LIT("promised")), ==, 0);
	store->ops->commit(store);
	CHECK_INT(store->foreign, ==, COORD_FOREIGN_ALL);
	note(store, 1, "seen again");
	store->ops->commit(store);
	CHECK_INT(coord_store_put(store, COORD_NODE, 3, VIEW_LIT("too")), ==, 0);
	store->ops->commit(store);
	CHECK_TRUE(store_sqlite_is_quiet(s));
	store_sqlite_forget(s);
	check_content(store, COORD_NODE, "1=d 2=promised 3=too ");
	store_sqlite_close(s);
	unlink(path);
}

struct late {
	struct loop *loop;
	struct loop_timer *timer;
	struct store_sqlite *store;
	sqlite3 *other; /* holds the database until the writer has found out */
	unsigned ticks;
	bool await_foreign;
};

static void on_tick(void *ctx)
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
	if (w->await_foreign ? s->foreign : coord_store_settled(s))
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
	struct store_sqlite *second;
	struct coord_store *s;
	struct err_at at;
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	CHECK_INT(fd, >=, 0);
	close(fd);
	CHECK_INT(loop_new(&w.loop), ==, 0);
	CHECK_INT(loop_timer_new(w.loop, on_tick, &w, &w.timer), ==, 0);
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
	store_sqlite_look(w.store); /* behind the batch that waits */
	run_until_settled(&w);
	CHECK_INT(w.ticks, >, 10);    /* the loop went on */
	CHECK_INT(s->durable, ==, 3); /* the one that waited, and all others together */
	CHECK_TRUE(!s->foreign);      /* only its own */
	CHECK_INT(store_sqlite_open_tailnet(&second, path, 1, &at), ==, 0);
	put_now(store_sqlite_store(second), 1, "A");
	store_sqlite_close(second);
	store_sqlite_look(w.store);
	CHECK_TRUE(!s->foreign); /* the loop has not heard of it */
	w.await_foreign = true;
	run_until_settled(&w);
	check_changes(s, "1/1=A ");
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
		CHECK_TRUE(!strncmp(seen.text, "1=A 2=b 3=b ", 12) && strstr(seen.text, "50=c"));
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
		cmocka_unit_test(an_older_database_is_brought_up_and_loses_nothing),
		cmocka_unit_test(a_database_that_cannot_be_brought_up_stays_as_it_is),
		cmocka_unit_test(a_newer_database_is_refused_in_words),
		cmocka_unit_test(what_is_edited_by_hand_is_heard_of),
		cmocka_unit_test(who_cannot_know_what_changed_loads_anew),
		cmocka_unit_test(a_started_store_writes_beside_the_loop),
		cmocka_unit_test(what_is_no_database_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
