#include "os/worker/worker.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct worker {
	uv_async_t wake;
	size_t n_given; /* whose `done` is still to be called: so long the loop runs */
	pthread_t thread;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t has_work, has_done;
	struct list waiting, done;
	bool busy, ends;
};

static void *work(void *ctx)
{
	struct worker *w = ctx;

	pthread_mutex_lock(&w->mutex);
	while (!w->ends) {
		struct list *l = list_pop_head(&w->waiting);
		struct worker_job *j;

		if (!l) {
			pthread_cond_wait(&w->has_work, &w->mutex);
			continue;
		}
		j = container_of(l, struct worker_job, link);
		w->busy = true;
		pthread_mutex_unlock(&w->mutex);
		j->run(j);
		pthread_mutex_lock(&w->mutex);
		w->busy = false;
		list_push_tail(&w->done, &j->link);
		pthread_cond_signal(&w->has_done);
		uv_async_send(&w->wake);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* One whose `done` is to be called, or NULL. */
static struct worker_job *take_done(struct worker *w)
{
	struct list *l;

	pthread_mutex_lock(&w->mutex);
	l = list_pop_head(&w->done);
	pthread_mutex_unlock(&w->mutex);
	return l ? container_of(l, struct worker_job, link) : NULL;
}

static void on_wake(uv_async_t *a)
{
	struct worker_job *j;

	struct worker *w = a->data;

	while ((j = take_done(w))) {
		if (--w->n_given == 0)
			uv_unref((uv_handle_t *)&w->wake);
		j->done(j);
	}
}

static int start_thread(struct worker *w)
{
	sigset_t all, before;
	int rc;

#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX,
		1); /* a heap of its own, 100 KB, is too much for the few things that the thread allocates */
#endif
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
	rc = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void free_handle(uv_handle_t *h)
{
	struct worker *w = h->data;

	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->has_work);
	pthread_cond_destroy(&w->has_done);
	free(w);
}

int worker_new(struct worker **ret, struct loop *l)
{
	struct worker *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	list_init(&w->waiting);
	list_init(&w->done);
	rc = uv_async_init(loop_uv(l), &w->wake, on_wake);
	if (rc != 0) {
		free(w);
		return rc;
	}
	w->wake.data = w;
	uv_unref((uv_handle_t *)&w->wake);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->has_work, NULL);
	pthread_cond_init(&w->has_done, NULL);
	rc = start_thread(w);
	if (rc < 0) {
		uv_close((uv_handle_t *)&w->wake, free_handle);
		return rc;
	}
	*ret = w;
	return 0;
}

void worker_add(struct worker *w, struct worker_job *j)
{
	if (w->n_given++ == 0)
		uv_ref((uv_handle_t *)&w->wake);
	pthread_mutex_lock(&w->mutex);
	list_push_tail(&w->waiting, &j->link);
	pthread_cond_signal(&w->has_work);
	pthread_mutex_unlock(&w->mutex);
}

void worker_finish(struct worker *w)
{
	bool more = true;

	while (more) {
		pthread_mutex_lock(&w->mutex);
		while (list_empty(&w->done) && (w->busy || !list_empty(&w->waiting)))
			pthread_cond_wait(&w->has_done, &w->mutex);
		more = !list_empty(&w->done);
		pthread_mutex_unlock(&w->mutex);
		on_wake(&w->wake);
	}
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->mutex);
	w->ends = true;
	pthread_cond_signal(&w->has_work);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	uv_close((uv_handle_t *)&w->wake, free_handle);
	return NULL;
}
