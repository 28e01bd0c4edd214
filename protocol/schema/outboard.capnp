@0xb2f0c1a7d95e4f36;
# placeholder, replaced below
struct Envelope {
  firstSequence @0 :UInt64;
}
