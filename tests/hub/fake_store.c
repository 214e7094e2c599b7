/* store/sqlite without SQLite: its functions over store/mem. */
#include "store/mem/mem.h"
#include "store/sqlite/sqlite.h"
#include "tests/hub/fake_store.h"

#include <errno.h>
#include <stdlib.h>

struct store_sqlite {
	struct store_mem *mem;
};

int store_sqlite_open(
	struct store_sqlite **ret, const char *path, bool must_exist, struct err_at *at)
{
	struct store_sqlite *s = calloc(1, sizeof(*s));
	int rc = s ? store_mem_new(&s->mem) : -ENOMEM;

	if (rc < 0)
		free(s);
	else
		*ret = s;
	return rc;
}

bool store_sqlite_was_made(const struct store_sqlite *s)
{
	return true;
}

int store_sqlite_start(struct store_sqlite *s, struct loop *l)
{
	return 0;
}

int store_sqlite_stop(struct store_sqlite *s)
{
	return 0;
}

void store_sqlite_state(const struct store_sqlite *s, struct store_sqlite_state *ret)
{
	*ret = (struct store_sqlite_state){ .why = "" };
}

void store_sqlite_look(struct store_sqlite *s) {}

bool store_sqlite_is_quiet(const struct store_sqlite *s)
{
	return true;
}

void store_sqlite_forget(struct store_sqlite *s)
{
	store_mem_crash(s->mem);
}

void store_sqlite_ignore(struct store_sqlite *s, bool yes) {}

struct store_sqlite *store_sqlite_close(struct store_sqlite *s)
{
	if (s)
		store_mem_free(s->mem);
	free(s);
	return NULL;
}

struct coord_store *store_sqlite_store(struct store_sqlite *s)
{
	return store_mem_store(s->mem);
}

struct store_mem *fake_store_mem(struct store_sqlite *s)
{
	return s->mem;
}
