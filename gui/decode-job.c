#include "gui/decode-job.h"

#include "decode/pipeline.h"

struct decode_job {
	char *capture;
	char *recording;
	decode_job_progress_fn progress;
	decode_job_done_fn done;
	gpointer data;
	gint cancelled;
	gint abandoned;
	gint per_mille; /* last progress */
	GError *error;
};

static gboolean say_progress(gpointer data)
{
	struct decode_job *self = data;

	if (!g_atomic_int_get(&self->abandoned))
		self->progress(g_atomic_int_get(&self->per_mille) / 1000.0, self->data);
	return G_SOURCE_REMOVE;
}

static gboolean say_done(gpointer data)
{
	struct decode_job *self = data;

	if (!g_atomic_int_get(&self->abandoned))
		self->done(self->error == NULL ? self->recording : NULL, self->error, self->data);
	g_clear_error(&self->error);
	g_free(self->capture);
	g_free(self->recording);
	g_free(self);
	return G_SOURCE_REMOVE;
}

/* On the job's thread. Idle calls come in order, so none comes after say_done. */
static gboolean on_progress(guint64 done_bytes, guint64 total_bytes, gpointer data)
{
	struct decode_job *self = data;

	if (total_bytes > 0)
		g_atomic_int_set(&self->per_mille,
		                 (gint)((double)done_bytes / (double)total_bytes * 1000));
	g_idle_add(say_progress, self);
	return !g_atomic_int_get(&self->cancelled);
}

static gpointer run(gpointer data)
{
	struct decode_job *self = data;
	g_autofree char *system_path = g_build_filename(self->capture, "system.ini", NULL);
	g_auto(GStrv) names = system_file_find_names(self->capture);
	const gboolean has_system = g_file_test(system_path, G_FILE_TEST_EXISTS);
	g_autoptr(system_file) system = NULL;
	struct decode_options options = { .progress = on_progress, .progress_data = self };
	gboolean sound = TRUE;

	if (has_system || names[0] != NULL) {
		system = system_file_load_with_names(has_system ? system_path : NULL,
		                                     (const char *const *)names, &self->error);
		sound = system != NULL;
		options.system = system;
	}
	if (sound)
		decode_capture(self->capture, self->recording, &options, &self->error);
	g_idle_add(say_done, self);
	return NULL;
}

decode_job *decode_job_start(const char *capture, const char *recording,
                             decode_job_progress_fn progress, decode_job_done_fn done,
                             gpointer data)
{
	struct decode_job *self = g_new0(struct decode_job, 1);

	self->capture = g_strdup(capture);
	self->recording = g_strdup(recording);
	self->progress = progress;
	self->done = done;
	self->data = data;
	g_thread_unref(g_thread_new("decode", run, self));
	return self;
}

void decode_job_cancel(decode_job *self)
{
	g_atomic_int_set(&self->cancelled, 1);
}

void decode_job_abandon(decode_job *self)
{
	g_atomic_int_set(&self->cancelled, 1);
	g_atomic_int_set(&self->abandoned, 1);
}
