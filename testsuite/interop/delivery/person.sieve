require ["fileinto", "envelope", "copy", "subaddress", "comparator-i;ascii-numeric"];
# Rules as a web client writes them.
if header :contains "X-Spam-Flag" "YES" {
    fileinto "Junk";
    stop;
}
if header :contains "List-Id" ["<users.", "<devel."] {
    fileinto "lists";
    stop;
}
if anyof (address :contains :all ["to", "cc"] "+work@", address :is :localpart "from" "boss") {
    fileinto :copy "archive";
    fileinto "work";
    stop;
}
if size :over 20K {
    fileinto "big";
    stop;
}
if allof (header :is :comparator "i;ascii-numeric" "X-Priority" "1", not exists "List-Post") {
    keep;
    stop;
}
if envelope :detail "to" "tag" {
    fileinto "tagged";
    stop;
}
if header :matches "Subject" "[?????] *" {
    fileinto "bracketed";
    stop;
}
if header :is "Subject" "trash me" {
    discard;
    stop;
}
if envelope :domain "from" "bounces.example" {
    fileinto "bounces";
}
