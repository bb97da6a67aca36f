#include "capture/snapshot.h"

#include <string.h>
#include <unistd.h>

#include "tests/capture/snapshot-fixture.h"

static const char good_text[] =
	"core 0 cpu_0 Cortex-A53 regs 1 dumps 1\n"
	"source ETM_0 ETMv4 \"ETM4\" id 0x10 core 0 cpu_0 in ETB_0 regs 11\n"
	"source STM_0 STM \"STM\" id 0x20 in ETB_1 regs 1\n"
	"buffer ETB_0 a.bin coresight 16 bytes from ETM_0\n"
	"buffer ETB_1 b.bin source_data 8 bytes from STM_0\n";

static void test_good(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autofree char *expected = g_strconcat(good_text, "time unstated\n", NULL);
	g_autofree char *ini = g_build_filename(dir, "snapshot.ini", NULL);
	g_autoptr(Snapshot) snapshot = snapshot_open(ini, NULL);

	snapshot_fixture_assert_text(dir, expected);
	g_assert_nonnull(snapshot);
	g_assert_cmpstr(snapshot->dir, ==, dir);
	snapshot_fixture_remove(dir);
}

static void test_regs(void)
{
	g_autofree char *dir = snapshot_fixture_new();
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
	snapshot_fixture_remove(dir);
}

/* Comments, CR, BOM, blanks, quotes, case, unknown sections and keys: as Arm's reader. */
static void test_spelling(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autofree char *expected = g_strconcat(good_text, "time unstated\n", NULL);

	snapshot_fixture_write(dir, "snapshot.ini",
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
	snapshot_fixture_write(
		dir, "etm_0.ini",
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
	snapshot_fixture_assert_text(dir, expected);
	snapshot_fixture_remove(dir);
}

static void test_capture_ini(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autofree char *expected =
		g_strconcat(good_text,
	                    "timestamp_hz 62500000\ncore_hz 250000000\ntime modelled\n"
	                    "property board=zcu102\nproperty timestmap_hz=1\n"
	                    "note capture.ini:6: unknown key 'timestmap_hz': did you mean "
	                    "'timestamp_hz'?\n",
	                    NULL);

	snapshot_fixture_write(
		dir, "capture.ini",
		"[capture]\ntimestamp_hz=62500000\ncore_hz=0xEE6B280\ntime=Modelled\n"
		"board=zcu102\ntimestmap_hz=1\n",
		-1);
	snapshot_fixture_assert_text(dir, expected);
	snapshot_fixture_remove(dir);
}

/* A source in two buffers, an unlinked source, a core without one, one buffer of two files,
 * clusters, memory spaces, repeated cores, a location. */
static void test_links(void)
{
	g_autofree char *dir = snapshot_fixture_new();

	snapshot_fixture_write(
		dir, "snapshot.ini",
		"[snapshot]\nversion=1\ndescription=two sessions\n"
		"[device_list]\n1=cpu_0.ini\n2=cpu_1.ini\n3=ahb.ini\n4=etm_0.ini\n5=etm_1.ini\n"
		"6=stm.ini\n"
		"[clusters]\nbig=cpu_1 , cpu_0\nodd=cpu_7\n"
		"[trace]\nmetadata=trace.ini\n",
		-1);
	snapshot_fixture_write(dir, "cpu_1.ini", "[device]\nname=cpu_1\nclass=core\n", -1);
	snapshot_fixture_write(
		dir, "ahb.ini",
		"[device]\nname=ahb\nclass=memory_space\n[dump1]\nfile=a.bin\naddress=0\n"
		"offset=4\nlength=8\nspace=\"EL2\"\n[dump1]\nfile=gone.bin\naddress=16\n"
		"[dump2]\nfile=b.bin\naddress=1\nlength=9\n",
		-1);
	snapshot_fixture_write(
		dir, "etm_1.ini",
		"[device]\nname=ETM_1\nclass=trace_source\ntype=ETE1.2\n"
		"location=dap:2,ap:1,address:0x80\n[regs]\nTRCTRACEIDR=0x10\nQ0(size:128)=0x1\n",
		-1);
	snapshot_fixture_write(
		dir, "trace.ini",
		"[trace_buffers]\nbuffers = b0 , b1\n"
		"[b0]\nname=ETB_0\nfile=a.bin, b.bin\nformat=dstream_coresight\n"
		"[b1]\nname=ETB_1\nfile=b.bin\n"
		"[source_buffers]\nETM_0(stream:0)=ETB_0,ETB_1\nETM_0(stream:1)=ETB_1\n"
		"ETM_1=ETB_0\nETM_1=ETB_0\n"
		"[core_trace_sources]\ncpu_0=ETM_0\ncpu_0=@DAP:2,ap:1,address:0x80\n",
		-1);
	snapshot_fixture_assert_text(
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
	snapshot_fixture_remove(dir);
}

static void assert_bytes(gconstpointer bytes, gsize len_bytes, const char *expected)
{
	g_assert_cmpuint(len_bytes, ==, strlen(expected));
	g_assert_true(memcmp(bytes, expected, len_bytes) == 0);
}

static void test_dumps(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	g_autoptr(GBytes) whole = NULL;
	g_autoptr(GBytes) part = NULL;
	const struct snapshot_dump *dumps;

	snapshot_fixture_write(
		dir, "cpu_0.ini",
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
	snapshot_fixture_remove(dir);
}

static void test_map(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	GMappedFile *map;

	snapshot_fixture_write(
		dir, "trace.ini",
		"[trace_buffers]\nbuffers=b0,b1,b2\n[b0]\nname=0\nfile=a.bin\nformat=coresight\n"
		"[b1]\nname=1\nfile=a.bin,b.bin,empty.bin,a.bin\nformat=coresight\n"
		"[b2]\nname=2\nfile=empty.bin\nformat=coresight\n[source_buffers]\n",
		-1);
	snapshot_fixture_write(dir, "empty.bin", "", 0);
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
	snapshot_fixture_remove(dir);
	g_assert_null(snapshot_buffer_map(&snapshot->buffers[0], &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_null(snapshot_buffer_map(&snapshot->buffers[1], &error));
	g_assert_error(error, SNAPSHOT_ERROR, SNAPSHOT_ERROR_NOT_FOUND);
}

/* A trace file of 8 GiB is opened and mapped without being read. */
static void test_huge(void)
{
	const gint64 size_bytes = G_GINT64_CONSTANT(8) << 30;
	g_autofree char *dir = snapshot_fixture_new();
	g_autofree char *path = g_build_filename(dir, "a.bin", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	GMappedFile *map;

	if (truncate(path, size_bytes) != 0) {
		snapshot_fixture_remove(dir);
		g_test_skip("no sparse files of 8 GiB in the temporary directory");
		return;
	}
	snapshot = snapshot_open(dir, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(snapshot->buffers[0].size_bytes, ==, (guint64)size_bytes);
	map = snapshot_buffer_map(&snapshot->buffers[0], &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_mapped_file_get_length(map), ==, (gsize)size_bytes);
	g_assert_cmpint(g_mapped_file_get_contents(map)[15], ==, 'f');
	g_assert_cmpint(g_mapped_file_get_contents(map)[size_bytes - 1], ==, 0);
	g_mapped_file_unref(map);
	snapshot_fixture_remove(dir);
}

/* Without [source_buffers] a single buffer is every source's; without [trace] there is none. */
static void test_defaults(void)
{
	g_autofree char *dir = snapshot_fixture_new();

	snapshot_fixture_write(
		dir, "trace.ini",
		"[trace_buffers]\nbuffers=b\n[b]\nname=B\nfile=a.bin\nformat=coresight\n", -1);
	snapshot_fixture_assert_text(dir, "core 0 cpu_0 Cortex-A53 regs 1 dumps 1\n"
	                                  "source ETM_0 ETMv4 \"ETM4\" id 0x10 in B regs 11\n"
	                                  "source STM_0 STM \"STM\" id 0x20 in B regs 1\n"
	                                  "buffer B a.bin coresight 16 bytes from ETM_0 STM_0\n"
	                                  "time unstated\n");
	snapshot_fixture_write(dir, "snapshot.ini",
	                       "[snapshot]\nversion=1.0\n[device_list]\na=cpu_0.ini\n", -1);
	snapshot_fixture_assert_text(
		dir, "core 0 cpu_0 Cortex-A53 regs 1 dumps 1\ntime unstated\n"
		     "note snapshot.ini:4: no section [trace]: the capture holds no trace\n");
	snapshot_fixture_remove(dir);
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
	g_autofree char *dir = snapshot_fixture_new();

	for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
		g_autofree char *ini = g_strdup_printf(
			"[device]\nname=ETM_0\nclass=trace_source\ntype=%s\n", types[i].type);
		g_autoptr(Snapshot) snapshot = NULL;

		snapshot_fixture_write(dir, "etm_0.ini", ini, -1);
		snapshot = snapshot_open(dir, NULL);
		g_assert_nonnull(snapshot);
		g_assert_cmpstr(snapshot_protocol_name(snapshot->sources[0].protocol), ==,
		                types[i].name);
		g_assert_cmpstr(snapshot->sources[0].device->type, ==, types[i].type);
	}
	snapshot_fixture_remove(dir);
}

/* Ini files of the largest size, made to be slow, end in reasonable time. */
static void test_big(void)
{
	g_autofree char *dir = snapshot_fixture_new();
	g_autoptr(GString) regs = g_string_new(snapshot_fixture_file("cpu_0.ini"));
	g_autoptr(GString) sections = g_string_new(snapshot_fixture_file("trace.ini"));
	g_autofree char *expected =
		g_strconcat("core 0 cpu_0 Cortex-A53 regs 200001 dumps 0\n",
	                    strchr(good_text, '\n') + 1, "time unstated\n", NULL);

	g_string_truncate(regs, (gsize)(strstr(regs->str, "[dump]") - regs->str));
	for (guint i = 0; i < 200000; i++)
		g_string_append_printf(regs, "R%u=%u\n", i, i);
	while (sections->len < 4 * 1024 * 1024 - 8)
		g_string_append(sections, "[x]\n");
	snapshot_fixture_write(dir, "cpu_0.ini", regs->str, -1);
	snapshot_fixture_write(dir, "trace.ini", sections->str, -1);
	snapshot_fixture_assert_text(dir, expected);
	snapshot_fixture_remove(dir);
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
	g_test_add_func("/snapshot/huge", test_huge);
	g_test_add_func("/snapshot/defaults", test_defaults);
	g_test_add_func("/snapshot/protocols", test_protocols);
	g_test_add_func("/snapshot/big", test_big);
	return g_test_run();
}
