/* tests/hub/fake_store: what is below the store that a hub in memory has. */
#ifndef WARREN_TESTS_HUB_FAKE_STORE_H
#define WARREN_TESTS_HUB_FAKE_STORE_H

struct store_mem;
struct store_sqlite;

struct store_mem *fake_store_mem(struct store_sqlite *s);

#endif
