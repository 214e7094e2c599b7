/* base/list: a doubly linked list whose links live in the items. The list owns nothing. */
#ifndef WARREN_BASE_LIST_LIST_H
#define WARREN_BASE_LIST_LIST_H

#include "base/attr/attr.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *item)
{
	item->prev = at->prev;
	item->next = at;
	at->prev->next = item;
	at->prev = item;
}

static inline void list_push_tail(struct list *l, struct list *item)
{
	list_insert_before(l, item);
}

static inline void list_push_head(struct list *l, struct list *item)
{
	list_insert_before(l->next, item);
}

/* Leaves the item as a list of its own, so that removing twice is harmless. */
static inline void list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* The first item, taken off; NULL if there is none. */
static inline struct list *list_pop_head(struct list *l)
{
	struct list *item = l->next;

	if (item == l)
		return NULL;
	list_remove(item);
	return item;
}

#define list_for_each(pos, l) for (struct list *pos = (l)->next; pos != (l); pos = pos->next)
/* Allows removing pos. */
#define list_for_each_safe(pos, l) \
	for (struct list *pos = (l)->next, *pos##_next = pos->next; pos != (l); \
		pos = pos##_next, pos##_next = pos->next)

#endif
