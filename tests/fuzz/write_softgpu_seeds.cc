// Writes seeds for the software device's targets: write_softgpu_seeds FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "server/softgpu/image/linked.h"
#include "tests/softgpu/image/containers.h"

namespace outboard::softgpu {
namespace {

// A little of everything that the front end knows.
constexpr const char* kModule = R"(.version 8.6
.target sm_90
.address_size 64
.global .align 8 .b8 text[8] = {104, 105, 10, 0, 0xff, 1, -2, 3};
.global .u64 pointers[2] = {text, generic(text) + 4};
.const .f32 half = 0f3F000000;
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 arguments);
.func (.reg .b32 %out) twice(.reg .b32 %in) { add.s32 %out, %in, %in; ret; }
.visible .entry kernel(.param .u64 .ptr .global .align 16 p, .param .align 8 .b8 s[24])
.maxntid 128, 1, 1
{
  .reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<9>; .reg .f32 %f<4>; .reg .b64 %rd<9>;
  .shared .align 16 .b8 tile[1024];
  .local .align 4 .b32 frame[4];
  .loc 1 3 4
  ld.param.u64 %rd1, [p]; cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r1, %tid.x; mad.wide.u32 %rd2, %r1, 4, %rd1;
  ld.global.nc.v2.f32 {%f1, %f2}, [%rd2+8];
  setp.lt.and.f32 %p1|%p2, %f1, %f2, !%p3;
  @%p1 bra $L_more;
  cvt.rn.satfinite.e4m3x2.f32 %h1, %f1, %f2;
  call.uni (%r2), twice, (%r1);
  { .reg .b32 %r1; mov.b32 {%h2, %h3}, 0x12345678; }
$L_more:
  cp.async.ca.shared.global [tile], [%rd1], 16, %p2;
  shfl.sync.bfly.b32 %r3|%p3, %r2, 16, 31, -1;
  st.local.u32 [frame+4], %r3;
  atom.global.add.u32 %r4, [%rd1], (3 + 4) * -1;
  bar.sync 0;
targets: .branchtargets $L_more, $L_end;
  brx.idx %r4, targets;
$L_end:
  @!%p3 trap;
  ret;
}
)";

void write(const std::filesystem::path& folder, const std::string& name,
           const std::vector<std::byte>& content) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}

void write_all(const std::filesystem::path& root) {
  using namespace image;
  const std::string text = kModule;
  // The first byte holds the options.
  write(root / "fuzz_ptx", "lenient", bytes_of("\x28" + text));
  write(root / "fuzz_ptx", "strict", bytes_of("\x29" + text));
  const std::filesystem::path images = root / "fuzz_image";
  write(images, "text", bytes_of(text));
  write(images, "plain", container({entry(2, 90, "machine code"), entry(1, 80, text), entry(1, 90, text)}));
  write(images, "lz4", container({entry(1, 90, text, kLz4Flags)}));
  write(images, "zstd", container({entry(1, 90, text, kZstdFlags), entry(8, 90, "LTO-IR")}));
  write(images, "linked", make_linked_image({text, "second unit"}));
  std::string elf(128, '\0');
  elf.replace(0, 9,
              "\x7f"
              "ELF\x02\x01\x01\x41\x08",
              9);
  elf[18] = static_cast<char>(190);  // CUDA
  elf[41] = 64;                      // section headers, one of 64 bytes
  elf[58] = 64;
  elf[60] = 1;
  write(images, "elf", bytes_of(elf));
}

}  // namespace
}  // namespace outboard::softgpu

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  outboard::softgpu::write_all(argv[1]);
  return 0;
}
