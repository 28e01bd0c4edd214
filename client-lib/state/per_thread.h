// Objects of which every thread has its own, in a library that is called until the very end.
//
// A C++ thread_local with a destructor is destroyed when exit() begins, before exit handlers run;
// but the CUDA runtime and static objects of programs still call us in those. So the thread-local
// part is a bare pointer, and the object is freed by a pthread key, whose destructors run when a
// thread ends and not when the process does.
#pragma once

namespace outboard::client {

// Runs `free_object(object)` when the calling thread ends, last registered first.
void at_thread_end(void (*free_object)(void*), void* object);

// This thread's T, default-constructed on first use.
template <typename T>
T& per_thread() {
  // Global-dynamic TLS (see outboard_options): a dlopen'ed library gets no static TLS block.
  static thread_local T* mine = nullptr;
  if (mine == nullptr) [[unlikely]] {
    mine = new T();
    at_thread_end(
        [](void* object) {
          // First, so that a call from within the destructor or after it starts anew.
          mine = nullptr;
          delete static_cast<T*>(object);
        },
        mine);
  }
  return *mine;
}

}  // namespace outboard::client
