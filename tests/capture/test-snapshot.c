#include "capture/snapshot.h"

#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/capture/snapshot-text.h"

/* A small good capture; each case replaces one of its files. */
static const char snapshot_ini[] = "[snapshot]\n"
				   "version=1.0\n"
				   "[device_list]\n"
				   "device0=cpu_0.ini\n"
				   "device1=etm_0.ini\n"
				   "device2=stm.ini\n"
				   "[trace]\n"
				   "metadata=trace.ini\n";
static const char trace_ini[] = "[trace_buffers]\n"
				"buffers=b0,b1\n"
				"[b0]\n"
				"name=ETB_0\n"
				"file=a.bin\n"
				"format=coresight\n"
				"[b1]\n"
				"name=ETB_1\n"
				"file=b.bin\n"
				"format=source_data\n"
				"[source_buffers]\n"
				"ETM_0=ETB_0\n"
				"STM_0=ETB_1\n"
				"[core_trace_sources]\n"
				"cpu_0=ETM_0\n";
static const char cpu_ini[] = "[device]\n"
			      "name=cpu_0\n"
			      "class=core\n"
			      "type=Cortex-A53\n"
			      "[regs]\n"
			      "PC(size:64)=0xFFFFFFC000081000\n"
			      "[dump]\n"
			      "file=a.bin\n"
			      "address=0x80000000\n";
static const char etm_ini[] = "[device]\n"
			      "name=ETM_0\n"
			      "class=trace_source\n"
			      "type=ETM4\n"
			      "[regs]\n"
			      "TRCCONFIGR(0x004)=0x8D1\n"
			      "TRCTRACEIDR(0x010)=0x10\n"
			      "TRCIDR0(0x078)=0x28000EA1\n"
			      "TRCIDR2(0x07A)=0x488\n";
static const char stm_ini[] = "[device]\n"
			      "name=STM_0\n"
			      "class=trace_source\n"
			      "type=STM\n"
			      "[regs]\n"
			      "STMTCSR(0x3A0)=0x00A00007\n";

static void write_bytes(const char *dir, const char *file, const char *bytes, gssize len_bytes)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);

	g_assert_true(g_file_set_contents(path, bytes, len_bytes, NULL));
}

static char *capture_new(void)
{
	char *dir = g_dir_make_tmp("hvscope-snapshot-XXXXXX", NULL);

	g_assert_nonnull(dir);
	write_bytes(dir, "snapshot.ini", snapshot_ini, -1);
	write_bytes(dir, "trace.ini", trace_ini, -1);
	write_bytes(dir, "cpu_0.ini", cpu_ini, -1);
	write_bytes(dir, "etm_0.ini", etm_ini, -1);
	write_bytes(dir, "stm.ini", stm_ini, -1);
	write_bytes(dir, "a.bin", "0123456789abcdef", 16);
	write_bytes(dir, "b.bin", "01234567", 8);
	return dir;
}

static void capture_remove(const char *dir)
{
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(list)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		g_assert_cmpint(g_remove(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void assert_text(const char *dir, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(dir, &error);
	g_autofree char *prefix = g_strdup_printf("%s/", dir);
	g_autofree char *text = NULL;
	g_autoptr(GString) relative = NULL;

	g_assert_no_error(error);
	text = snapshot_text(snapshot);
	relative = g_string_new(text);
	g_string_replace(relative, prefix, "", 0);
	g_assert_cmpstr(relative->str, ==, expected);
}

/* Opening fails with an error of that code whose message, without the directory, begins so. */
static void assert_fails(const char *dir, const char *path, enum snapshot_error code,
                         const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = snapshot_open(path, &error);
	g_autofree char *prefix = g_strdup_printf("%s/", dir);
	g_autoptr(GString) message = NULL;

	g_assert_null(snapshot);
	g_assert_error(error, SNAPSHOT_ERROR, (gint)code);
	message = g_string_new(error->message);
	g_string_replace(message, prefix, "", 0);
	if (!g_str_has_prefix(message->str, expected))
		g_assert_cmpstr(message->str, ==, expected);
}

static const char good_text[] =
	"core 0 cpu_0 Cortex-A53 regs 1 dumps 1\n"
	"source ETM_0 ETMv4 \"ETM4\" id 0x10 core 0 cpu_0 in ETB_0 regs 11\n"
	"source STM_0 STM \"STM\" id 0x20 in ETB_1 regs 1\n"
	"buffer ETB_0 a.bin coresight 16 bytes from ETM_0\n"
	"buffer ETB_1 b.bin source_data 8 bytes from STM_0\n";

static void test_good(void)
{
	g_autofree char *dir = capture_new();
	g_autofree char *expected = g_strconcat(good_text, "time unstated\n", NULL);
	g_autofree char *ini = g_build_filename(dir, "snapshot.ini", NULL);
	g_autoptr(Snapshot) snapshot = snapshot_open(ini, NULL);

	assert_text(dir, expected);
	g_assert_nonnull(snapshot);
	g_assert_cmpstr(snapshot->dir, ==, dir);
	capture_remove(dir);
}

static void test_regs(void)
{
	g_autofree char *dir = capture_new();
	g_autoptr(Snapshot) snapshot = snapshot_open(dir, NULL);
	const struct snapshot_device *etm = snapshot_device_find(snapshot, "etm_0");
	guint64 value = 7;

	g_assert_true(snapshot_device_reg(etm, "trcconfigr", &value));
	g_assert_cmphex(value, ==, 0x8D1);
	g_assert_true(snapshot_device_reg(etm, "TRCIDR1", &value));
	g_assert_cmphex(value, ==, 0x4100F403);
	for (guint i = 8; i <= 13; i++) {
		g_autofree char *name = g_strdup_printf("TRCIDR%u", i);

		g_assert_true(snapshot_device_reg(etm, name, &value));
		g_assert_cmphex(value, ==, 0);
	}
	value = 7;
	g_assert_false(snapshot_device_reg(etm, "TRCIDR3", &value));
	g_assert_cmphex(value, ==, 7);
	g_assert_true(snapshot_device_reg(snapshot->cores[0], "PC", &value));
	g_assert_cmphex(value, ==, 0xFFFFFFC000081000);
	capture_remove(dir);
}

/* Comments, CR, BOM, blanks, quotes, case, unknown sections and keys: as Arm's reader. */
static void test_spelling(void)
{
	g_autofree char *dir = capture_new();
	g_autofree char *expected = g_strconcat(good_text, "time unstated\n", NULL);

	write_bytes(dir, "snapshot.ini",
	            "\xef\xbb\xbf; made by hand \xa9\r\n"
	            "\t [SNAPSHOT] # first\r\n"
	            " Version\t= 1.0 ; of the format\r\n"
	            "[Notes]\r\n"
	            "no equals sign here\r\n"
	            "[Device_List]\r\n"
	            "x=cpu_0.ini\r\n"
	            "y= etm_0.ini\r\n"
	            "z=\"stm.ini\"\r\n"
	            "[Notes]\r\n"
	            "[trace]\r\n"
	            "MetaData=trace.ini",
	            -1);
	write_bytes(dir, "etm_0.ini",
	            "[device]\nname=ETM_0\nclass=Trace_Source\ntype=etm4.2\ncolour=blue\n"
	            "[regs]\ntrcconfigr ( 0x004 ) = '0x8d1'\nTRCTRACEIDR=16\n"
	            "TRCIDR0(id:0x78,size:32)=0X28000ea1\nTRCIDR2=0x00000000000000000488\n",
	            -1);
	g_clear_pointer(&expected, g_free);
	expected = g_strdup("core 0 cpu_0 Cortex-A53 regs 1 dumps 1\n"
	                    "source ETM_0 ETMv4 \"etm4.2\" id 0x10 core 0 cpu_0 in ETB_0 regs 11\n"
	                    "source STM_0 STM \"STM\" id 0x20 in ETB_1 regs 1\n"
	                    "buffer ETB_0 a.bin coresight 16 bytes from ETM_0\n"
	                    "buffer ETB_1 b.bin source_data 8 bytes from STM_0\n"
	                    "time unstated\n");
	assert_text(dir, expected);
	capture_remove(dir);
}

static void test_capture_ini(void)
{
	g_autofree char *dir = capture_new();
	g_autofree char *expected =
		g_strconcat(good_text,
	                    "timestamp_hz 62500000\ncore_hz 250000000\ntime modelled\n"
	                    "property board=zcu102\nproperty timestmap_hz=1\n"
	                    "note capture.ini:6: unknown key 'timestmap_hz': did you mean "
	                    "'timestamp_hz'?\n",
	                    NULL);

	write_bytes(dir, "capture.ini",
	            "[capture]\ntimestamp_hz=62500000\ncore_hz=0xEE6B280\ntime=Modelled\n"
	            "board=zcu102\ntimestmap_hz=1\n",
	            -1);
	assert_text(dir, expected);
	capture_remove(dir);
}

/* A source in two buffers, an unlinked source, a core without one, one buffer of two files,
 * clusters, memory spaces, repeated cores, a location. */
static void test_links(void)
{
	g_autofree char *dir = capture_new();

	write_bytes(dir, "snapshot.ini",
	            "[snapshot]\nversion=1\ndescription=two sessions\n"
	            "[device_list]\n1=cpu_0.ini\n2=cpu_1.ini\n3=ahb.ini\n4=etm_0.ini\n5=etm_1.ini\n"
	            "6=stm.ini\n"
	            "[clusters]\nbig=cpu_1 , cpu_0\nodd=cpu_7\n"
	            "[trace]\nmetadata=trace.ini\n",
	            -1);
	write_bytes(dir, "cpu_1.ini", "[device]\nname=cpu_1\nclass=core\n", -1);
	write_bytes(dir, "ahb.ini",
	            "[device]\nname=ahb\nclass=memory_space\n[dump1]\nfile=a.bin\naddress=0\n"
	            "offset=4\nlength=8\nspace=\"EL2\"\n[dump1]\nfile=gone.bin\naddress=16\n"
	            "[dump2]\nfile=b.bin\naddress=1\nlength=9\n",
	            -1);
	write_bytes(
		dir, "etm_1.ini",
		"[device]\nname=ETM_1\nclass=trace_source\ntype=ETE1.2\n"
		"location=dap:2,ap:1,address:0x80\n[regs]\nTRCTRACEIDR=0x10\nQ0(size:128)=0x1\n",
		-1);
	write_bytes(dir, "trace.ini",
	            "[trace_buffers]\nbuffers = b0 , b1\n"
	            "[b0]\nname=ETB_0\nfile=a.bin, b.bin\nformat=dstream_coresight\n"
	            "[b1]\nname=ETB_1\nfile=b.bin\n"
	            "[source_buffers]\nETM_0(stream:0)=ETB_0,ETB_1\nETM_0(stream:1)=ETB_1\n"
	            "ETM_1=ETB_0\nETM_1=ETB_0\n"
	            "[core_trace_sources]\ncpu_0=ETM_0\ncpu_0=@DAP:2,ap:1,address:0x80\n",
	            -1);
	assert_text(
		dir,
		"core 0 cpu_0 Cortex-A53 regs 1 dumps 1\n"
		"core 1 cpu_1  regs 0 dumps 0\n"
		"source ETM_0 ETMv4 \"ETM4\" id 0x10 core 0 cpu_0 in ETB_0 in ETB_1 regs 11\n"
		"source ETM_1 ETE \"ETE1.2\" id 0x10 core 0 cpu_0 in ETB_0 regs 1\n"
		"source STM_0 STM \"STM\" id 0x20 regs 1\n"
		"buffer ETB_0 a.bin, b.bin dstream_coresight 24 bytes from ETM_0 ETM_1\n"
		"buffer ETB_1 b.bin coresight 8 bytes from ETM_0\n"
		"cluster big: cpu_1 cpu_0\n"
		"cluster odd:\n"
		"time unstated\n"
		"note ahb.ini:11: the dump file gone.bin is not there\n"
		"note ahb.ini:14: the dump file b.bin has 8 bytes, the section asks for 9 from "
		"byte 0\n"
		"note etm_1.ini:8: register Q0 has more than 64 bits and is left out\n"
		"note snapshot.ini:13: cluster 'odd' names 'cpu_7', which is no core\n"
		"note trace.ini:7: [b1] has no 'format=': taken as coresight\n"
		"note trace.ini:12: 'ETM_0(stream:1)' is data trace, which is not linked\n"
		"note trace.ini:1: sources 'ETM_0' and 'ETM_1' of buffer 'ETB_0' both have trace "
		"ID 0x10\n");
	capture_remove(dir);
}

static void assert_bytes(gconstpointer bytes, gsize len_bytes, const char *expected)
{
	g_assert_cmpuint(len_bytes, ==, strlen(expected));
	g_assert_true(memcmp(bytes, expected, len_bytes) == 0);
}

static void test_dumps(void)
{
	g_autofree char *dir = capture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	g_autoptr(GBytes) whole = NULL;
	g_autoptr(GBytes) part = NULL;
	const struct snapshot_dump *dumps;

	write_bytes(dir, "cpu_0.ini",
	            "[device]\nname=cpu_0\nclass=core\n[dump.a]\nfile=a.bin\naddress=0x80000000\n"
	            "[dump.b]\nfile=a.bin\naddress=0\noffset=4\nlength=8\nspace=EL2\n"
	            "[dump.c]\nfile=b.bin\naddress=0\nlength=9\n[dump.d]\nfile=no.bin\naddress=0\n",
	            -1);
	snapshot = snapshot_open(dir, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(snapshot->cores[0]->n_dumps, ==, 4);
	dumps = snapshot->cores[0]->dumps;
	whole = snapshot_dump_map(&dumps[0], &error);
	g_assert_no_error(error);
	g_assert_false(dumps[0].has_length);
	g_assert_null(dumps[0].space);
	g_assert_cmphex(dumps[0].address, ==, 0x80000000);
	assert_bytes(g_bytes_get_data(whole, NULL), g_bytes_get_size(whole), "0123456789abcdef");
	part = snapshot_dump_map(&dumps[1], &error);
	g_assert_no_error(error);
	g_assert_cmpstr(dumps[1].space, ==, "EL2");
	assert_bytes(g_bytes_get_data(part, NULL), g_bytes_get_size(part), "456789ab");
	g_assert_null(snapshot_dump_map(&dumps[2], &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_MALFORMED);
	g_clear_error(&error);
	g_assert_null(snapshot_dump_map(&dumps[3], &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_FOUND);
	capture_remove(dir);
}

static void test_map(void)
{
	g_autofree char *dir = capture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	GMappedFile *map;

	write_bytes(
		dir, "trace.ini",
		"[trace_buffers]\nbuffers=b0,b1,b2\n[b0]\nname=0\nfile=a.bin\nformat=coresight\n"
		"[b1]\nname=1\nfile=a.bin,b.bin,empty.bin,a.bin\nformat=coresight\n"
		"[b2]\nname=2\nfile=empty.bin\nformat=coresight\n[source_buffers]\n",
		-1);
	write_bytes(dir, "empty.bin", "", 0);
	snapshot = snapshot_open(dir, &error);
	g_assert_no_error(error);
	map = snapshot_buffer_map(&snapshot->buffers[0], &error);
	g_assert_no_error(error);
	assert_bytes(g_mapped_file_get_contents(map), g_mapped_file_get_length(map),
	             "0123456789abcdef");
	g_mapped_file_unref(map);
	map = snapshot_buffer_map(&snapshot->buffers[1], &error);
	g_assert_no_error(error);
	g_assert_cmpuint(snapshot->buffers[1].size_bytes, ==, 40);
	assert_bytes(g_mapped_file_get_contents(map), g_mapped_file_get_length(map),
	             "0123456789abcdef012345670123456789abcdef");
	g_mapped_file_unref(map);
	map = snapshot_buffer_map(&snapshot->buffers[2], &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_mapped_file_get_length(map), ==, 0);
	g_mapped_file_unref(map);
	capture_remove(dir);
	g_assert_null(snapshot_buffer_map(&snapshot->buffers[0], &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_null(snapshot_buffer_map(&snapshot->buffers[1], &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_FOUND);
}

/* Without [source_buffers] a single buffer is every source's; without [trace] there is none. */
static void test_defaults(void)
{
	g_autofree char *dir = capture_new();

	write_bytes(dir, "trace.ini",
	            "[trace_buffers]\nbuffers=b\n[b]\nname=B\nfile=a.bin\nformat=coresight\n", -1);
	assert_text(dir, "core 0 cpu_0 Cortex-A53 regs 1 dumps 1\n"
	                 "source ETM_0 ETMv4 \"ETM4\" id 0x10 in B regs 11\n"
	                 "source STM_0 STM \"STM\" id 0x20 in B regs 1\n"
	                 "buffer B a.bin coresight 16 bytes from ETM_0 STM_0\n"
	                 "time unstated\n");
	write_bytes(dir, "snapshot.ini", "[snapshot]\nversion=1.0\n[device_list]\na=cpu_0.ini\n",
	            -1);
	assert_text(dir, "core 0 cpu_0 Cortex-A53 regs 1 dumps 1\ntime unstated\n"
	                 "note snapshot.ini:4: no section [trace]: the capture holds no trace\n");
	capture_remove(dir);
}

static void test_protocols(void)
{
	static const struct {
		const char *type;
		const char *name;
	} types[] = { { "ETM3.5", "ETMv3" }, { "PTM1.1", "PTM" },     { "PFT1.1", "PTM" },
		      { "ETE", "ETE" },      { "ITM", "ITM" },        { "ETM", "unknown" },
		      { "ETM5", "unknown" }, { "ETMX", "unknown" },   { "ETM4x", "unknown" },
		      { "STMX", "unknown" }, { "ELA-600", "unknown" } };
	g_autofree char *dir = capture_new();

	for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
		g_autofree char *ini = g_strdup_printf(
			"[device]\nname=ETM_0\nclass=trace_source\ntype=%s\n", types[i].type);
		g_autoptr(Snapshot) snapshot = NULL;

		write_bytes(dir, "etm_0.ini", ini, -1);
		snapshot = snapshot_open(dir, NULL);
		g_assert_nonnull(snapshot);
		g_assert_cmpstr(snapshot_protocol_name(snapshot->sources[0].protocol), ==,
		                types[i].name);
		g_assert_cmpstr(snapshot->sources[0].device->type, ==, types[i].type);
	}
	capture_remove(dir);
}

static void test_no_capture(void)
{
	g_autofree char *dir = capture_new();
	g_autofree char *none = g_build_filename(dir, "none", NULL);
	g_autofree char *below = g_build_filename(dir, "a.bin", "x", NULL);
	g_autofree char *file = g_build_filename(dir, "a.bin", NULL);
	g_autofree char *ini = g_build_filename(dir, "snapshot.ini", NULL);
	g_autofree char *empty = g_dir_make_tmp("hvscope-snapshot-XXXXXX", NULL);

	assert_fails(dir, none, SNAPSHOT_ERROR_NOT_FOUND,
	             "opening the capture none failed: No such");
	assert_fails(dir, below, SNAPSHOT_ERROR_NOT_FOUND,
	             "opening the capture a.bin/x failed: Not a");
	assert_fails(
		dir, file, SNAPSHOT_ERROR_NOT_A_CAPTURE,
		"opening the capture a.bin failed: expected a directory with snapshot.ini in it, "
		"found a file");
	assert_fails(empty, empty, SNAPSHOT_ERROR_NOT_A_CAPTURE, "opening the capture ");
	assert_fails(dir, "", SNAPSHOT_ERROR_NOT_FOUND, "opening the capture  failed: No such");
	g_assert_cmpint(g_unlink(ini), ==, 0);
	g_assert_cmpint(g_mkdir(ini, 0755), ==, 0);
	assert_fails(dir, dir, SNAPSHOT_ERROR_IO,
	             "snapshot.ini: expected a text file, found a directory");
	g_assert_cmpint(g_rmdir(ini), ==, 0);
	/* A FIFO must not hang. */
	g_assert_cmpint(mkfifo(ini, 0600), ==, 0);
	assert_fails(dir, dir, SNAPSHOT_ERROR_IO,
	             "snapshot.ini: expected a text file, found a special file");
	capture_remove(dir);
	capture_remove(empty);
}

struct bad_case {
	const char *file;
	const char *from; /* replaced in the good file... */
	const char *to;   /* ...by this; NULL: `from` is put before the file */
	const char *expected;
};

static const struct bad_case bad_cases[] = {
	{ "snapshot.ini", "[snapshot]", "[snapshot",
	  "snapshot.ini:1: expected '[section]' with ']'" },
	{ "snapshot.ini", "[snapshot]", "[snapshot] x",
	  "snapshot.ini:1: expected '[section]' with" },
	{ "snapshot.ini", "[trace]", "[ ]", "snapshot.ini:7: expected a section name in brackets" },
	{ "snapshot.ini", "[snapshot]\n", "", "snapshot.ini:1: expected a '[section]' line first" },
	{ "snapshot.ini", "[snapshot]", "[other]",
	  "snapshot.ini:1: expected a section [snapshot]" },
	{ "snapshot.ini", "version=1.0", "version=0.1",
	  "snapshot.ini:2: expected snapshot version 1.0, found '0.1'" },
	{ "snapshot.ini", "version=1.0",
	  "version=", "snapshot.ini:2: expected a value for 'version'" },
	{ "snapshot.ini", "version=1.0", "x=1",
	  "snapshot.ini:1: expected 'version=' in [snapshot]" },
	{ "snapshot.ini", "version=1.0", "version 1.0",
	  "snapshot.ini:2: expected 'key=value' in [snapshot], found \"version 1.0\"" },
	{ "snapshot.ini", "version=1.0", "=1.0",
	  "snapshot.ini:2: expected 'key=value' in [snapshot]" },
	{ "snapshot.ini", "version=1.0", "version=1.0\nVERSION=1.0",
	  "snapshot.ini:3: expected each key of [snapshot] once, found 'VERSION' again" },
	{ "snapshot.ini", "[trace]", "[SnapShot]",
	  "snapshot.ini:7: expected one section [snapshot]" },
	{ "snapshot.ini", "[device_list]", "[devices]",
	  "snapshot.ini:1: expected a section [device_list], found none" },
	{ "snapshot.ini", "device0=cpu_0.ini\ndevice1=etm_0.ini\ndevice2=stm.ini\n", "",
	  "snapshot.ini:3: expected 1 to 1024 devices in [device_list], found 0" },
	{ "snapshot.ini",
	  "device1=", "device0=", "snapshot.ini:5: expected each key of [device_list]" },
	{ "snapshot.ini", "etm_0.ini", "cpu_0.ini",
	  "snapshot.ini:5: expected each device name once, found 'cpu_0' in cpu_0.ini and in" },
	{ "snapshot.ini", "etm_0.ini", "gone.ini", "snapshot.ini:5: expected the file gone.ini" },
	{ "snapshot.ini", "etm_0.ini", "../etm_0.ini",
	  "snapshot.ini:5: expected the name of a file inside the capture, found '../etm_0.ini', "
	  "which "
	  "leaves the capture" },
	{ "snapshot.ini", "etm_0.ini", "x/../../etm_0.ini",
	  "snapshot.ini:5: expected the name of a" },
	{ "snapshot.ini", "etm_0.ini", "/etc/passwd",
	  "snapshot.ini:5: expected the name of a file" },
	{ "snapshot.ini", "etm_0.ini", ".", "snapshot.ini:5: expected the name of a file inside" },
	{ "snapshot.ini", "etm_0.ini", "", "snapshot.ini:5: expected the name of a file inside" },
	{ "snapshot.ini", "metadata=trace.ini", "",
	  "snapshot.ini:7: expected 'metadata=' in [trace]" },
	{ "snapshot.ini", "trace.ini", "t.ini",
	  "snapshot.ini:8: expected the file t.ini, found none" },
	{ "snapshot.ini", "trace.ini", "etm_0.ini",
	  "etm_0.ini:1: expected a section [trace_buffers], found none" },
	{ "snapshot.ini", "\xff\xfe[", NULL,
	  "snapshot.ini:1: expected text in UTF-8, found UTF-16" },
	{ "snapshot.ini", "version", "ver\xffsion",
	  "snapshot.ini:2: expected text in UTF-8, found" },
	{ "snapshot.ini", "1.0", "1.0\x1b[2J", "snapshot.ini:2: expected text, found the control" },
	{ "snapshot.ini", "version", "\rversion",
	  "snapshot.ini:2: expected text, found the control" },
	{ "cpu_0.ini", "[device]", "[dev]",
	  "cpu_0.ini:1: expected a section [device], found none" },
	{ "cpu_0.ini", "name=cpu_0\n", "",
	  "cpu_0.ini:1: expected 'name=' in [device], found none" },
	{ "cpu_0.ini", "class=core", "class=trace_source", /* not ETM4: no registers wanted */
	  "trace.ini:15: expected the name of a device of class core, found 'cpu_0', which has "
	  "class" },
	{ "cpu_0.ini", "PC(", "(", "cpu_0.ini:6: expected a register name before '('" },
	{ "cpu_0.ini", "[dump]", "PC=1\n[dump]",
	  "cpu_0.ini:7: expected each register once, found 'PC'" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "0x1FFFFFFC000081000",
	  "cpu_0.ini:6: expected a number of at most 64 bits (123 or 0x7b) for 'PC(size:64)', "
	  "found" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "18446744073709551616",
	  "cpu_0.ini:6: expected a number" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "-1", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "0x", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "09", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "", "cpu_0.ini:6: expected a number of at most 64" },
	{ "cpu_0.ini", "0xFFFFFFC000081000", "0x10 20",
	  "cpu_0.ini:6: expected a number of at most" },
	{ "cpu_0.ini", "file=a.bin", "file=../a.bin", "cpu_0.ini:8: expected the name of a file" },
	{ "cpu_0.ini", "file=a.bin\n", "", "cpu_0.ini:7: expected 'file=' in [dump], found none" },
	{ "cpu_0.ini", "address=0x80000000", "length=4",
	  "cpu_0.ini:7: expected 'address=' in [dump]" },
	{ "cpu_0.ini", "address=0x80000000", "address=0xFFFFFFFFFFFFFFFF\nlength=2",
	  "cpu_0.ini:7: expected [dump] to end within 64 bits" },
	{ "cpu_0.ini", "address", "offset=0xFFFFFFFFFFFFFFFF\nlength=1\naddress",
	  "cpu_0.ini:7: expected [dump] to end within 64 bits" },
	{ "etm_0.ini", "type=ETM4\n", "", "etm_0.ini:1: expected 'type=' with the trace protocol" },
	{ "etm_0.ini", "TRCCONFIGR", "x",
	  "etm_0.ini:5: expected register TRCCONFIGR in [regs] of ETM4" },
	{ "etm_0.ini", "TRCTRACEIDR", "x", "etm_0.ini:5: expected register TRCTRACEIDR in [regs]" },
	{ "etm_0.ini", "TRCIDR0", "x", "etm_0.ini:5: expected register TRCIDR0 in [regs] of ETM4" },
	{ "etm_0.ini", "TRCIDR2", "x", "etm_0.ini:5: expected register TRCIDR2 in [regs] of ETM4" },
	{ "etm_0.ini", "[regs]", "[register]",
	  "etm_0.ini:1: expected register TRCCONFIGR in [regs]" },
	{ "etm_0.ini", "0x8D1", "0x1000008D1",
	  "etm_0.ini:5: expected 32 bits in TRCCONFIGR, found" },
	{ "stm.ini", "STMTCSR", "STMSPER",
	  "stm.ini:5: expected register STMTCSR in [regs] of STM" },
	{ "trace.ini", "buffers=b0,b1", "buffers=", "trace.ini:2: expected a value for" },
	{ "trace.ini", "buffers=b0,b1", "buffers=b0,,b1", "trace.ini:2: expected names with ','" },
	{ "trace.ini", "buffers=b0,b1", "buffers=b0,b2",
	  "trace.ini:2: expected a section [b2] for each name in 'buffers', found none" },
	{ "trace.ini", "buffers=b0,b1", "buffers=b0,b0",
	  "trace.ini:2: expected each buffer name once" },
	{ "trace.ini", "name=ETB_1", "name=etb_0", "trace.ini:2: expected each buffer name once" },
	{ "trace.ini", "name=ETB_1\n", "", "trace.ini:7: expected 'name=' in [b1], found none" },
	{ "trace.ini", "file=b.bin\n", "", "trace.ini:7: expected 'file=' in [b1], found none" },
	{ "trace.ini", "b.bin", "gone.bin",
	  "trace.ini:9: expected the file gone.bin, found none: copy" },
	{ "trace.ini", "b.bin", "../b.bin", "trace.ini:9: expected the name of a file inside" },
	{ "trace.ini", "b.bin", "./",
	  "trace.ini:9: expected the name of a file inside the capture" },
	{ "trace.ini", "coresight", "coresite",
	  "trace.ini:6: expected format coresight, source_data or dstream_coresight, found "
	  "'coresite'" },
	{ "trace.ini", "STM_0=ETB_1", "STM_0=ETB_1\nETM_0=ETB_1",
	  "trace.ini:1: expected one source in [source_buffers] for 'ETB_1', whose format is" },
	{ "trace.ini", "[source_buffers]", "[sources]",
	  "trace.ini:1: expected a section [source_buff" },
	{ "trace.ini", "ETM_0=ETB_0", "ETM_O=ETB_0",
	  "trace.ini:12: expected the name of a device of class trace_source, found 'ETM_O', which "
	  "no "
	  "device file has (did you mean 'ETM_0'?)" },
	{ "trace.ini", "ETM_0=ETB_0", "cpu_0=ETB_0",
	  "trace.ini:12: expected the name of a device of class trace_source, found 'cpu_0', which "
	  "has "
	  "class core" },
	{ "trace.ini", "ETM_0=ETB_0", "ETM_0=ETB_9",
	  "trace.ini:12: expected the name of a trace buffer for 'ETM_0', found 'ETB_9' (did you "
	  "mean" },
	{ "trace.ini", "cpu_0=ETM_0", "cpu_1=ETM_0",
	  "trace.ini:15: expected the name of a device of class core, found 'cpu_1', which no "
	  "device" },
	{ "trace.ini", "cpu_0=ETM_0", "cpu_0=@address:1",
	  "trace.ini:15: expected the name of a device of class trace_source, found '@address:1'" },
	{ "trace.ini", "cpu_0=ETM_0",
	  "cpu_0=", "trace.ini:15: expected the name of a device of class" },
};

static const char *good_file(const char *file)
{
	return strcmp(file, "snapshot.ini") == 0 ? snapshot_ini
	       : strcmp(file, "trace.ini") == 0  ? trace_ini
	       : strcmp(file, "cpu_0.ini") == 0  ? cpu_ini
	       : strcmp(file, "etm_0.ini") == 0  ? etm_ini
	                                         : stm_ini;
}

static void test_malformed(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(bad_cases); i++) {
		const struct bad_case *bad = &bad_cases[i];
		g_autofree char *dir = capture_new();
		g_autoptr(GString) text = g_string_new(good_file(bad->file));
		const gboolean not_found = strstr(bad->expected, "expected the file") != NULL;

		if (bad->to == NULL)
			g_string_prepend(text, bad->from);
		else
			g_assert_cmpuint(g_string_replace(text, bad->from, bad->to, 1), ==, 1);
		write_bytes(dir, bad->file, text->str, (gssize)text->len);
		assert_fails(dir, dir,
		             not_found ? SNAPSHOT_ERROR_NOT_FOUND : SNAPSHOT_ERROR_MALFORMED,
		             bad->expected);
		capture_remove(dir);
	}
}

static void test_two_cores_one_source(void)
{
	g_autofree char *dir = capture_new();

	write_bytes(dir, "stm.ini", "[device]\nname=cpu_1\nclass=core\n", -1);
	write_bytes(dir, "trace.ini",
	            "[trace_buffers]\nbuffers=b\n[b]\nname=B\nfile=a.bin\nformat=coresight\n"
	            "[core_trace_sources]\ncpu_0=ETM_0\ncpu_0=ETM_0\ncpu_1=ETM_0\n",
	            -1);
	assert_fails(dir, dir, SNAPSHOT_ERROR_MALFORMED,
	             "trace.ini:10: expected source 'ETM_0' at one core, found it at 'cpu_0' and "
	             "'cpu_1'");
	capture_remove(dir);
}

static void test_bad_capture_ini(void)
{
	static const char *const cases[][2] = {
		{ "time=modelled\n", "capture.ini:1: expected a '[section]' line first" },
		{ "[captur]\n", "capture.ini:1: expected a section [capture], found none" },
		{ "[capture]\ntime=guessed\n",
		  "capture.ini:2: expected 'measured' or 'modelled' for 'time', found 'guessed'" },
		{ "[capture]\ntime=unstated\n",
		  "capture.ini:2: expected 'measured' or 'modelled'" },
		{ "[capture]\ntimestamp_hz=0\n", "capture.ini:2: expected 1 to 1000000000000 Hz" },
		{ "[capture]\ncore_hz=1000000000001\n",
		  "capture.ini:2: expected 1 to 1000000000000 Hz" },
		{ "[capture]\ncore_hz=1.5e9\n",
		  "capture.ini:2: expected a number of at most 64 bits" },
		{ "[capture]\ncore_hz=1\ncore_hz=2\n",
		  "capture.ini:3: expected each key of [capture]" },
	};
	g_autofree char *dir = capture_new();

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		write_bytes(dir, "capture.ini", cases[i][0], -1);
		assert_fails(dir, dir, SNAPSHOT_ERROR_MALFORMED, cases[i][1]);
	}
	capture_remove(dir);
}

static void test_nul_and_huge(void)
{
	g_autofree char *dir = capture_new();
	g_autofree char *path = g_build_filename(dir, "cpu_0.ini", NULL);

	write_bytes(dir, "cpu_0.ini", "[device]\nname=a\0b\n", 18);
	assert_fails(dir, dir, SNAPSHOT_ERROR_MALFORMED,
	             "cpu_0.ini:2: expected text, found the control character 0x00 at column 7: is "
	             "this a binary file?");
	g_assert_cmpint(truncate(path, 4 * 1024 * 1024 + 1), ==, 0);
	assert_fails(dir, dir, SNAPSHOT_ERROR_IO,
	             "cpu_0.ini: expected an ini file of at most 4194304 bytes, found 4194305");
	write_bytes(dir, "cpu_0.ini", "", 0);
	assert_fails(dir, dir, SNAPSHOT_ERROR_MALFORMED,
	             "cpu_0.ini:1: expected a section [device], found none");
	capture_remove(dir);
}

/* Ini files of the largest size, made to be slow, end in reasonable time. */
static void test_big(void)
{
	g_autofree char *dir = capture_new();
	g_autoptr(GString) regs = g_string_new(cpu_ini);
	g_autoptr(GString) sections = g_string_new(trace_ini);
	g_autofree char *expected =
		g_strconcat("core 0 cpu_0 Cortex-A53 regs 200001 dumps 0\n",
	                    strchr(good_text, '\n') + 1, "time unstated\n", NULL);

	g_string_truncate(regs, (gsize)(strstr(regs->str, "[dump]") - regs->str));
	for (guint i = 0; i < 200000; i++)
		g_string_append_printf(regs, "R%u=%u\n", i, i);
	while (sections->len < 4 * 1024 * 1024 - 8)
		g_string_append(sections, "[x]\n");
	write_bytes(dir, "cpu_0.ini", regs->str, -1);
	write_bytes(dir, "trace.ini", sections->str, -1);
	assert_text(dir, expected);
	capture_remove(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/snapshot/good", test_good);
	g_test_add_func("/snapshot/regs", test_regs);
	g_test_add_func("/snapshot/spelling", test_spelling);
	g_test_add_func("/snapshot/capture-ini", test_capture_ini);
	g_test_add_func("/snapshot/links", test_links);
	g_test_add_func("/snapshot/dumps", test_dumps);
	g_test_add_func("/snapshot/map", test_map);
	g_test_add_func("/snapshot/defaults", test_defaults);
	g_test_add_func("/snapshot/protocols", test_protocols);
	g_test_add_func("/snapshot/no-capture", test_no_capture);
	g_test_add_func("/snapshot/malformed", test_malformed);
	g_test_add_func("/snapshot/two-cores-one-source", test_two_cores_one_source);
	g_test_add_func("/snapshot/bad-capture-ini", test_bad_capture_ini);
	g_test_add_func("/snapshot/nul-and-huge", test_nul_and_huge);
	g_test_add_func("/snapshot/big", test_big);
	return g_test_run();
}
