// A network between two programs of one machine: forwards TCP connections and makes them as slow as
// asked, in both directions.
//   bench_delay_proxy --to 127.0.0.1:7070 --rtt-ms 10 [--bandwidth-mbit 1000] [--jitter-ms 1]
// Prints "listening on 127.0.0.1:PORT" and serves until it is killed or its parent has ended. It
// listens on the loopback address only.
//
// Each direction is a line with its own clock: what is read is due one delay after it has left the
// sender at the line's speed, and leaves in order. Jitter lengthens the delay of a piece by a
// uniformly distributed time up to the one given (seed 1: every run has the same), never reorders.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <asio.hpp>

namespace {

using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Duration = Clock::duration;

struct Line {
  Duration delay{};
  Duration jitter{};
  double bytes_per_second = 0;  // 0: as fast as it goes
};

Duration milliseconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(value));
}

// One direction of one connection.
class Direction : public std::enable_shared_from_this<Direction> {
 public:
  Direction(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to, const Line& line)
      : from_(std::move(from)), to_(std::move(to)), line_(line), timer_(to_->get_executor()) {}

  void start() { read(); }

 private:
  struct Piece {
    std::vector<char> bytes;  // empty: the sender has finished
    Clock::time_point due;
  };
  static constexpr size_t kPieceBytes = 256 * 1024;
  // What may be on its way: a line of 10 Gbit/s and 150 ms has 190 MB in it.
  static constexpr size_t kMaxUnderWay = size_t{256} << 20;

  void read() {
    if (reading_ || finished_ || under_way_ >= kMaxUnderWay) return;
    reading_ = true;
    incoming_.resize(kPieceBytes);
    from_->async_read_some(asio::buffer(incoming_),
                           [self = shared_from_this()](std::error_code error, size_t bytes) {
                             self->reading_ = false;
                             if (error) bytes = 0;
                             self->finished_ = bytes == 0;
                             self->enqueue(bytes);
                             self->read();
                           });
  }

  void enqueue(size_t bytes) {
    const auto now = Clock::now();
    line_free_ = std::max(line_free_, now);
    if (line_.bytes_per_second > 0) {
      line_free_ += std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(static_cast<double>(bytes) / line_.bytes_per_second));
    }
    Duration delay = line_.delay;
    if (line_.jitter.count() > 0)
      delay += Duration(std::uniform_int_distribution<Duration::rep>(0, line_.jitter.count())(random_));
    last_due_ = std::max(last_due_, line_free_ + delay);
    queue_.push_back({{incoming_.begin(), incoming_.begin() + static_cast<ptrdiff_t>(bytes)}, last_due_});
    under_way_ += bytes;
    if (queue_.size() == 1) deliver();
  }

  void deliver() {
    // A timer costs some 50 us: what is due by then anyway need not wait for one.
    if (queue_.front().due <= Clock::now()) return write();
    timer_.expires_at(queue_.front().due);
    timer_.async_wait([self = shared_from_this()](std::error_code) { self->write(); });
  }

  void write() {
    if (queue_.front().bytes.empty()) {
      std::error_code ignored;
      to_->shutdown(tcp::socket::shutdown_send, ignored);
      return;
    }
    asio::async_write(*to_, asio::buffer(queue_.front().bytes),
                      [self = shared_from_this()](std::error_code error, size_t) {
                        if (error) return self->give_up();
                        self->under_way_ -= self->queue_.front().bytes.size();
                        self->queue_.pop_front();
                        if (!self->queue_.empty()) self->deliver();
                        self->read();
                      });
  }

  // The receiver is gone: so is the sender's reason to go on.
  void give_up() {
    finished_ = true;
    std::error_code ignored;
    from_->close(ignored);
  }

  std::shared_ptr<tcp::socket> from_;
  std::shared_ptr<tcp::socket> to_;
  const Line line_;
  asio::steady_timer timer_;
  std::vector<char> incoming_;
  std::deque<Piece> queue_;
  size_t under_way_ = 0;
  bool reading_ = false;
  bool finished_ = false;
  Clock::time_point line_free_;
  Clock::time_point last_due_;
  std::mt19937_64 random_{1};
};

class Proxy {
 public:
  Proxy(asio::io_context& context, const std::string& host, const std::string& port, const Line& line)
      : context_(context), line_(line), acceptor_(context, {asio::ip::address_v4::loopback(), 0}) {
    target_ = *tcp::resolver(context).resolve(host, port).begin();
    std::printf("listening on 127.0.0.1:%u\n", acceptor_.local_endpoint().port());
    std::fflush(stdout);
    accept();
  }

 private:
  void accept() {
    auto client = std::make_shared<tcp::socket>(context_);
    acceptor_.async_accept(*client, [this, client](std::error_code error) {
      if (!error) connect(client);
      accept();
    });
  }

  void connect(const std::shared_ptr<tcp::socket>& client) {
    auto server = std::make_shared<tcp::socket>(context_);
    server->async_connect(target_, [this, client, server](std::error_code error) {
      if (error) return;  // both sockets close: the client sees the end of its connection
      client->set_option(tcp::no_delay(true));
      server->set_option(tcp::no_delay(true));
      std::make_shared<Direction>(client, server, line_)->start();
      std::make_shared<Direction>(server, client, line_)->start();
    });
  }

  asio::io_context& context_;
  const Line line_;
  tcp::acceptor acceptor_;
  tcp::endpoint target_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Forwards TCP connections with delay, limited bandwidth and jitter.");
  std::string to;
  double rtt_ms = 0;
  double jitter_ms = 0;
  double bandwidth_mbit = 0;
  app.add_option("--to", to, "HOST:PORT to forward to")->required();
  app.add_option("--rtt-ms", rtt_ms, "Round trip time that is added")->check(CLI::Range(0.0, 10'000.0));
  app.add_option("--jitter-ms", jitter_ms, "Each direction takes up to this much longer")
      ->check(CLI::Range(0.0, 10'000.0));
  app.add_option("--bandwidth-mbit", bandwidth_mbit, "Speed of each direction; 0: not limited")
      ->check(CLI::Range(0.0, 1'000'000.0));
  CLI11_PARSE(app, argc, argv);
  const size_t colon = to.rfind(':');
  if (colon == std::string::npos) {
    std::fprintf(stderr, "--to is \"%s\", but has to be HOST:PORT.\n", to.c_str());
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  try {
    asio::io_context context(1);
    const Line line{milliseconds(rtt_ms / 2), milliseconds(jitter_ms), bandwidth_mbit * 1e6 / 8};
    Proxy proxy(context, to.substr(0, colon), to.substr(colon + 1), line);
    context.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "The proxy cannot run: %s.\n", error.what());
    return 1;
  }
  return 0;
}
