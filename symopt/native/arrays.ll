; What entries do with arrays, of `$real`.

; Copies the lower triangle of a matrix to the upper one.
define internal void @mirror(ptr %matrix, i64 %order) {
entry:
  br label %rows
rows:
  %i = phi i64 [ 0, %entry ], [ %i.next, %row ]
  %i.next = add i64 %i, 1
  %i.row = mul i64 %i, %order
  %done = icmp eq i64 %i, %order
  br i1 %done, label %finish, label %row
row:
  %j = phi i64 [ 0, %rows ], [ %j.next, %element ]
  %last = icmp eq i64 %j, %i
  br i1 %last, label %rows, label %element
element:
  %j.next = add i64 %j, 1
  %j.row = mul i64 %j, %order
  %below = add i64 %i.row, %j
  %above = add i64 %j.row, %i
  %from = getelementptr $real, ptr %matrix, i64 %below
  %to = getelementptr $real, ptr %matrix, i64 %above
  %value = load $real, ptr %from
  store $real %value, ptr %to
  br label %row
finish:
  ret void
}

; Whether two stretches of memory have bytes in common.
define internal i1 @overlap(ptr %a, i64 %a.bytes, ptr %b, i64 %b.bytes) alwaysinline {
  %a.end = getelementptr i8, ptr %a, i64 %a.bytes
  %b.end = getelementptr i8, ptr %b, i64 %b.bytes
  %before = icmp ult ptr %a, %b.end
  %after = icmp ult ptr %b, %a.end
  %both = and i1 %before, %after
  ret i1 %both
}
