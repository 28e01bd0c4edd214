// printf, the heap, assertions and graphs' conditions of device code.
#include "server/softgpu/exec/system_calls.h"

#include <bit>
#include <cstdio>
#include <cstring>
#include <string>

#include "server/softgpu/exec/calls.h"
#include "server/softgpu/exec/device_launch.h"
#include "server/softgpu/exec/memory.h"
#include "server/softgpu/exec/special.h"

namespace outboard::softgpu::exec {
namespace {

constexpr std::string_view kNames[] = {"vprintf",
                                       "malloc",
                                       "free",
                                       "__assertfail",
                                       "__cuda_syscall_cnpv2GetParameterBufferV2",
                                       "__cuda_syscall_cnpv2LaunchDeviceV2",
                                       "__cuda_syscall_cnpv2GetLastError",
                                       "__cuda_syscall_cnpv2SetLastError",
                                       "__cuda_syscall_cnpv2StreamCreate",
                                       "__cuda_syscall_cnpv2StreamDestroy",
                                       "__cuda_syscall_cnpv2StreamWaitEvent",
                                       "__cuda_syscall_cnpv2EventCreate",
                                       "__cuda_syscall_cnpv2EventRecord",
                                       "__cuda_syscall_cnpv2EventDestroy",
                                       "cudaGraphSetConditional"};
static_assert(std::size(kNames) == static_cast<size_t>(SystemCall::kCount));
constexpr size_t kMaxString = 64 * 1024;
constexpr size_t kMaxFormatted = 1024 * 1024;

// Reads a string of device memory; false if it leaves valid memory or is longer than kMaxString.
bool read_string(Warp& warp, uint32_t lane, uint64_t address, std::string& out) {
  for (size_t i = 0; i < kMaxString; ++i) {
    const std::byte* at = translate_generic(warp, lane, address + i, 1);
    if (at == nullptr) return false;
    if (*at == std::byte{0}) return true;
    out += static_cast<char>(*at);
  }
  return false;
}

// Arguments of printf: each at its natural alignment, integers of 4 or 8 bytes, doubles, pointers.
class ArgumentReader {
 public:
  ArgumentReader(Warp& warp, uint32_t lane, uint64_t address) : warp_(warp), lane_(lane), address_(address) {}
  bool read(void* value, uint32_t bytes) {
    offset_ = (offset_ + bytes - 1) & ~uint64_t{bytes - 1};
    const std::byte* at = translate_generic(warp_, lane_, address_ + offset_, bytes);
    if (at == nullptr) return false;
    std::memcpy(value, at, bytes);
    offset_ += bytes;
    return true;
  }

 private:
  Warp& warp_;
  uint32_t lane_;
  uint64_t address_;
  uint64_t offset_ = 0;
};

struct Conversion {
  std::string flags;  // everything between % and the length modifiers, with * replaced
  bool is_long = false;
  char kind = 0;
};

void append(std::string& out, const char* format, auto value) {
  int needed = std::snprintf(nullptr, 0, format, value);
  if (needed <= 0 || out.size() + static_cast<size_t>(needed) > kMaxFormatted) return;
  size_t before = out.size();
  out.resize(before + static_cast<size_t>(needed) + 1);
  std::snprintf(out.data() + before, static_cast<size_t>(needed) + 1, format, value);
  out.resize(before + static_cast<size_t>(needed));
}

// Parses one conversion behind '%'. Returns its length, 0 if it is not one.
size_t parse_conversion(std::string_view text, ArgumentReader& arguments, Conversion& out) {
  size_t i = 0;
  auto width = [&] {
    if (i < text.size() && text[i] == '*') {
      int32_t value = 0;
      arguments.read(&value, 4);
      if (value > 4096 || value < -4096) value = 0;
      out.flags += std::to_string(value);
      ++i;
      return;
    }
    size_t digits = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      if (++digits <= 4) out.flags += text[i];
    }
  };
  while (i < text.size() && std::strchr("-+ #0", text[i]) != nullptr) out.flags += text[i++];
  width();
  if (i < text.size() && text[i] == '.') {
    out.flags += text[i++];
    width();
  }
  while (i < text.size() && std::strchr("hljzt", text[i]) != nullptr) {
    out.is_long |= text[i] == 'l' || text[i] == 'j' || text[i] == 'z' || text[i] == 't';
    ++i;
  }
  if (i == text.size()) return 0;
  out.kind = text[i];
  return i + 1;
}

bool convert(Warp& warp, uint32_t lane, const Conversion& conversion, ArgumentReader& arguments,
             std::string& out) {
  std::string format = "%" + conversion.flags;
  switch (conversion.kind) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
      if (conversion.is_long) {
        long long value = 0;
        if (!arguments.read(&value, 8)) return false;
        append(out, (format + "ll" + conversion.kind).c_str(), value);
      } else {
        int value = 0;
        if (!arguments.read(&value, 4)) return false;
        append(out, (format + conversion.kind).c_str(), value);
      }
      return true;
    }
    case 'c': {
      int value = 0;
      if (!arguments.read(&value, 4)) return false;
      append(out, (format + "c").c_str(), value);
      return true;
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'a':
    case 'A': {
      double value = 0;
      if (!arguments.read(&value, 8)) return false;
      append(out, (format + conversion.kind).c_str(), value);
      return true;
    }
    case 'p': {
      uint64_t value = 0;
      if (!arguments.read(&value, 8)) return false;
      append(out, (format + "p").c_str(), reinterpret_cast<void*>(value));
      return true;
    }
    case 's': {
      uint64_t address = 0;
      std::string text;
      if (!arguments.read(&address, 8) || !read_string(warp, lane, address, text)) return false;
      append(out, (format + "s").c_str(), text.c_str());
      return true;
    }
    default: return true;
  }
}

// False if a string or argument lies outside valid memory.
bool format_lane(Warp& warp, uint32_t lane, uint64_t format_address, uint64_t argument_address,
                 std::string& out) {
  std::string format;
  if (!read_string(warp, lane, format_address, format)) return false;
  ArgumentReader arguments(warp, lane, argument_address);
  std::string_view rest = format;
  while (!rest.empty()) {
    size_t percent = rest.find('%');
    out += rest.substr(0, percent);
    if (percent == std::string_view::npos) break;
    rest.remove_prefix(percent + 1);
    if (rest.starts_with('%')) {
      out += '%';
      rest.remove_prefix(1);
      continue;
    }
    Conversion conversion;
    size_t length = parse_conversion(rest, arguments, conversion);
    if (length == 0) break;
    if (!convert(warp, lane, conversion, arguments, out)) return false;
    rest.remove_prefix(length);
  }
  return true;
}

template <typename T>
T read_frame(Warp& warp, uint32_t lane, uint32_t offset) {
  const auto* pointers = warp.row<const uint32_t>(special_operand(Special::kStackPointer));
  T value;
  std::memcpy(&value, warp.local + uint64_t{lane} * warp.stack_bytes + pointers[lane] + offset, sizeof value);
  return value;
}
template <typename T>
void write_frame(Warp& warp, uint32_t lane, uint32_t offset, T value) {
  const auto* pointers = warp.row<const uint32_t>(special_operand(Special::kStackPointer));
  std::memcpy(warp.local + uint64_t{lane} * warp.stack_bytes + pointers[lane] + offset, &value, sizeof value);
}

const Op* assert_fail(Warp& warp, const Op* op, uint32_t lane) {
  std::string message, file, function;
  read_string(warp, lane, read_frame<uint64_t>(warp, lane, op->r[3]), message);
  read_string(warp, lane, read_frame<uint64_t>(warp, lane, op->r[4]), file);
  uint32_t line = read_frame<uint32_t>(warp, lane, op->r[5]);
  read_string(warp, lane, read_frame<uint64_t>(warp, lane, op->r[6]), function);
  const LaunchRequest& request = *warp.launch->request;
  uint64_t cta = warp.cta_number(), thread = warp.index * kLanes + lane;
  auto triple = [](uint64_t n, const Dim3& size) {
    return "[" + std::to_string(n % size.x) + "," + std::to_string(n / size.x % size.y) + "," +
           std::to_string(n / size.x / size.y) + "]";
  };
  warp.launch->device->print(
      file + ":" + std::to_string(line) + ": " + function + ": block: " + triple(cta, request.grid) +
      ", thread: " + triple(thread, request.block) + " Assertion `" + message + "` failed.\n");
  return fault(warp, op, 710, lane,
               "assertion `" + message + "` failed at " + file + ":" + std::to_string(line));
}

// What the device runtime asks for one lane; false after a fault.
bool launch_call(Warp& warp, const Op* op, uint32_t lane, SystemCall call) {
  constexpr uint32_t kInvalidValue = 1;
  Launch& launch = *warp.launch;
  const uint64_t thread = warp.cta_number() * launch.threads + warp.index * kLanes + lane;
  uint32_t result = 0;
  switch (call) {
    case SystemCall::kGetParameterBuffer:
      write_frame<uint64_t>(warp, lane, op->r[2],
                            launch.children->prepare(*launch.request, *launch.device,
                                                     read_frame<uint64_t>(warp, lane, op->r[3]),
                                                     read_frame<Dim3>(warp, lane, op->r[4]),
                                                     read_frame<Dim3>(warp, lane, op->r[5]),
                                                     read_frame<uint32_t>(warp, lane, op->r[6])));
      return true;
    case SystemCall::kLaunch: {
      const auto buffer = read_frame<uint64_t>(warp, lane, op->r[3]),
                 stream = read_frame<uint64_t>(warp, lane, op->r[4]);
      if (!launch.children->enqueue(*launch.device, buffer, stream)) result = kInvalidValue;
      // The range is gone.
      *warp.ranges = RangeCache{};
      break;
    }
    case SystemCall::kGetLastError: result = launch.children->take_error(thread); break;
    case SystemCall::kSetLastError:
      result = read_frame<uint32_t>(warp, lane, op->r[3]);
      if (result != 0) launch.children->set_error(thread, result);
      break;
    case SystemCall::kCreateStream:
    case SystemCall::kCreateEvent: {
      std::byte* at =
          translate_generic(warp, lane, read_frame<uint64_t>(warp, lane, op->r[3]), sizeof(uint64_t));
      if (at == nullptr) {
        fault(warp, op, 700, lane, "a stream or event is created at an illegal address");
        return false;
      }
      const uint64_t name = launch.children->new_name();
      std::memcpy(at, &name, sizeof name);
      break;
    }
    default: break;  // waiting and destroying: launches run one after the other
  }
  write_frame<uint32_t>(warp, lane, op->r[2], result);
  return true;
}

}  // namespace

int find_system_call(std::string_view name) {
  // Both versions of the device runtime make the same calls, by other names.
  constexpr std::string_view kFirstVersion = "cnp", kSecondVersion = "__cuda_syscall_cnpv2";
  const bool first = name.starts_with(kFirstVersion);
  for (size_t i = 0; i < std::size(kNames); ++i) {
    const bool same = first ? kNames[i].starts_with(kSecondVersion) &&
                                  kNames[i].substr(kSecondVersion.size()) == name.substr(kFirstVersion.size())
                            : kNames[i] == name;
    if (same) return static_cast<int>(i);
  }
  return -1;
}

// Operands: own frame's end, number, result's place, parameters' places.
const Op* system_call(Warp& warp, const Op* op, uint32_t mask) {
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t lane = static_cast<uint32_t>(std::countr_zero(rest));
    switch (static_cast<SystemCall>(op->r[1])) {
      case SystemCall::kPrint: {
        std::string text;
        uint64_t format = read_frame<uint64_t>(warp, lane, op->r[3]),
                 arguments = read_frame<uint64_t>(warp, lane, op->r[4]);
        if (!format_lane(warp, lane, format, arguments, text))
          return fault(warp, op, 700, lane, "printf reads an illegal address");
        warp.launch->device->print(text);
        write_frame<int32_t>(warp, lane, op->r[2], static_cast<int32_t>(text.size()));
        break;
      }
      case SystemCall::kAllocate:
        write_frame<uint64_t>(warp, lane, op->r[2],
                              warp.launch->device->heap_allocate(read_frame<uint64_t>(warp, lane, op->r[3])));
        break;
      case SystemCall::kFree: {
        uint64_t address = read_frame<uint64_t>(warp, lane, op->r[3]);
        if (address != 0) warp.launch->device->heap_free(address);
        // The range may be gone.
        *warp.ranges = RangeCache{};
        break;
      }
      case SystemCall::kAssertFail: return assert_fail(warp, op, lane);
      case SystemCall::kSetConditional: {
        // The handle of a graph's condition is the address of its value.
        std::byte* at =
            translate_generic(warp, lane, read_frame<uint64_t>(warp, lane, op->r[3]), sizeof(uint32_t));
        if (at == nullptr) return fault(warp, op, 700, lane, "cudaGraphSetConditional is given no handle");
        __atomic_store_n(reinterpret_cast<uint32_t*>(at), read_frame<uint32_t>(warp, lane, op->r[4]),
                         __ATOMIC_RELAXED);
        break;
      }
      default:
        if (!launch_call(warp, op, lane, static_cast<SystemCall>(op->r[1]))) return nullptr;
    }
  }
  return op + 1;
}

}  // namespace outboard::softgpu::exec
