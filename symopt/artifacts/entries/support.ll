; What the entries of compiled code share: small loops over arrays, of `$real`.

; Makes all elements of an array a number.
define internal void @fill(ptr %array, i64 %count, $real %value) {
entry:
  br label %head
head:
  %k = phi i64 [ 0, %entry ], [ %k.next, %element ]
  %done = icmp sge i64 %k, %count
  br i1 %done, label %finish, label %element
element:
  %at = getelementptr $real, ptr %array, i64 %k
  ; Volatile, or it would become a call of memset.
  store volatile $real %value, ptr %at
  %k.next = add i64 %k, 1
  br label %head
finish:
  ret void
}

; Whether all elements of an array are finite.
define internal i1 @finite(ptr %array, i64 %count) {
entry:
  br label %head
head:
  %k = phi i64 [ 0, %entry ], [ %k.next, %element ]
  %done = icmp sge i64 %k, %count
  br i1 %done, label %finish, label %element
element:
  %at = getelementptr $real, ptr %array, i64 %k
  %value = load $real, ptr %at
  %k.next = add i64 %k, 1
  %nothing = fsub $real %value, %value
  %good = fcmp oeq $real %nothing, 0.0
  br i1 %good, label %head, label %finish
finish:
  %all = phi i1 [ true, %head ], [ false, %element ]
  ret i1 %all
}

; Where every entry of a packed square matrix is stored (`typed/packing.py`): `diagonal` is 0, or -1
; without it.
define internal void @positions(ptr %table, i64 %side, i64 %diagonal, i1 %symmetric) {
entry:
  br label %rows
rows:
  %r = phi i64 [ 0, %entry ], [ %r.next, %row ]
  %r.next = add i64 %r, 1
  %r.row = mul i64 %r, %side
  %done = icmp sge i64 %r, %side
  br i1 %done, label %finish, label %row
row:
  %c = phi i64 [ 0, %rows ], [ %c.next, %element ]
  %last = icmp sge i64 %c, %side
  br i1 %last, label %rows, label %element
element:
  %c.next = add i64 %c, 1
  %larger = call i64 @llvm.smax.i64(i64 %r, i64 %c)
  %smaller = call i64 @llvm.smin.i64(i64 %r, i64 %c)
  %row.number = select i1 %symmetric, i64 %larger, i64 %r
  %column.number = select i1 %symmetric, i64 %smaller, i64 %c
  %most = add i64 %row.number, %diagonal
  %column = call i64 @llvm.smin.i64(i64 %column.number, i64 %most)
  %next.row = add i64 %row.number, 1
  %length = add i64 %next.row, %diagonal
  %length.least = sub i64 %length, 1
  %longer = add i64 %length.least, 1
  %product = mul i64 %length.least, %longer
  %before = sdiv i64 %product, 2
  %place = add i64 %before, %column
  %position = call i64 @llvm.smax.i64(i64 %place, i64 0)
  %offset = add i64 %r.row, %c
  %at = getelementptr i64, ptr %table, i64 %offset
  store i64 %position, ptr %at
  br label %row
finish:
  ret void
}

; The unknowns of `count` packed square matrices, row by row of the lower triangle.
define internal void @pack(ptr %full, ptr %stored, i64 %count, i64 %side, i64 %diagonal) {
entry:
  %rows.all = mul i64 %count, %side
  br label %rows
rows:
  %r = phi i64 [ 0, %entry ], [ %r.next, %row ]
  %at.row = phi i64 [ 0, %entry ], [ %at, %row ]
  %r.next = add i64 %r, 1
  %done = icmp sge i64 %r, %rows.all
  br i1 %done, label %finish, label %row.first
row.first:
  %number = srem i64 %r, %side
  %most = add i64 %number, %diagonal
  %start = mul i64 %r, %side
  br label %row
row:
  %c = phi i64 [ 0, %row.first ], [ %c.next, %element ]
  %at = phi i64 [ %at.row, %row.first ], [ %at.next, %element ]
  %last = icmp sgt i64 %c, %most
  br i1 %last, label %rows, label %element
element:
  %c.next = add i64 %c, 1
  %at.next = add i64 %at, 1
  %place = add i64 %start, %c
  %from = getelementptr $real, ptr %full, i64 %place
  %to = getelementptr $real, ptr %stored, i64 %at
  %value = load $real, ptr %from
  store $real %value, ptr %to
  br label %row
finish:
  ret void
}
